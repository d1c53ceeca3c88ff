"""MAPS at ISIS. Version 1 (before the 2017 guide): the numbers of Horace's maps_instrument."""

from insml.instruments.fermi import FermiInstrument, FermiPackage

MAPS: dict[int, FermiInstrument] = {
    1: FermiInstrument(
        name="MAPS version 1",
        moderator_to_chopper=10.1,
        aperture_to_chopper=8.11,
        chopper_to_sample=1.9,
        sample_to_detector=6.0,
        aperture_width=0.07013,
        moderator_angle=32.0,
        moderator_tau=70.0,
        detector_diameter=0.025,
        packages={
            "A": FermiPackage(0.001087, 0.049, 1.300),
            "B": FermiPackage(0.001812, 0.049, 0.920),
            "S": FermiPackage(0.002899, 0.049, 1.300),
        },
    ),
}
