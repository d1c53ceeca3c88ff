//! Quantiles of the standard Gaussian.

/// Relative error below 1.2e-9 (P. J. Acklam's rational approximations, 2003).
pub fn normal(p: f64) -> f64 {
    const TAIL: f64 = 0.02425;
    let polynomial = |c: &[f64], x: f64| c.iter().fold(0.0, |sum, c| sum * x + c);
    if !(TAIL..=1.0 - TAIL).contains(&p) {
        let x = (-2.0 * p.min(1.0 - p).ln()).sqrt();
        let above = [
            -7.784894002430293e-3,
            -3.223964580411365e-1,
            -2.400758277161838,
            -2.549732539343734,
            4.374664141464968,
            2.938163982698783,
        ];
        let below = [7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416, 1.0];
        let far = polynomial(&above, x) / polynomial(&below, x);
        return if p < 0.5 { far } else { -far };
    }
    let x = p - 0.5;
    let r = x * x;
    let above = [
        -3.969683028665376e1,
        2.209460984245205e2,
        -2.759285104469687e2,
        1.38357751867269e2,
        -3.066479806614716e1,
        2.506628277459239,
    ];
    let below = [
        -5.447609879822406e1,
        1.615858368580409e2,
        -1.556989798598866e2,
        6.680131188771972e1,
        -1.328068155288572e1,
        1.0,
    ];
    x * polynomial(&above, r) / polynomial(&below, r)
}

#[cfg(test)]
mod tests {
    use super::normal;

    #[test]
    fn quantiles() {
        // of tables
        for (p, x) in [(0.5, 0.0), (0.975, 1.959963984540054), (0.001, -3.090232306167813), (0.9999683287581669, 4.0)] {
            assert!((normal(p) - x).abs() < 1e-8, "{p}");
        }
        assert_eq!(normal(0.01), -normal(0.99));
    }
}
