"""insml: single-crystal inelastic neutron scattering, from measured runs to exchange parameters."""
