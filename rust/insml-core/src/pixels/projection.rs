//! Coordinates of a cut, from crystal Cartesian Q and energy transfer.

use crate::vec3::Mat3;

/// What the first three axes are. `y` are Cartesian coordinates in the frame of the projection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// y1, y2, y3.
    Line,
    /// |y|, the angle from y1, and that about it from y2 to y3.
    Sphere,
    /// Distance from y1, y1, and the angle about it from y2 to y3.
    Cylinder,
}

/// `y = frame Q - offset`; coordinates are what `shape` says, and but for lines over `scale`, angles in degrees over theirs.
#[derive(Clone, Debug)]
pub struct Projection {
    pub shape: Shape,
    pub frame: Mat3,
    /// Of y and of the energy transfer.
    pub offset: [f64; 4],
    pub scale: [f64; 4],
    /// Smallest angle about y1, degrees: the turn it is given in starts there.
    pub first_turn: f64,
}

impl Projection {
    /// Coordinates of pixels, by axis: `q` and `energy` are replaced. Without `angles` these are 0.
    #[inline(always)]
    pub fn coordinates<const W: usize>(&self, x: &mut [[f64; W]; 4], angles: bool) {
        let (m, o) = (&self.frame, &self.offset);
        for i in 0..W {
            let (a, b, c) = (x[0][i], x[1][i], x[2][i]);
            for d in 0..3 {
                // fused, so that every machine finds the same bins
                x[d][i] = m[d][0].mul_add(a, m[d][1].mul_add(b, m[d][2].mul_add(c, -o[d])));
            }
            x[3][i] -= o[3];
        }
        match self.shape {
            Shape::Line => {}
            Shape::Sphere => self.spherical(x, angles),
            Shape::Cylinder => self.cylindrical(x, angles),
        }
        for d in 0..4 {
            if self.shape != Shape::Line {
                let inverse = 1.0 / self.scale[d];
                for v in &mut x[d] {
                    *v *= inverse;
                }
            }
        }
    }

    fn turn(&self, y2: f64, y3: f64) -> f64 {
        let angle = y3.atan2(y2).to_degrees();
        if angle < self.first_turn {
            angle + 360.0
        } else if angle >= self.first_turn + 360.0 {
            angle - 360.0
        } else {
            angle
        }
    }

    #[inline(always)]
    fn spherical<const W: usize>(&self, x: &mut [[f64; W]; 4], angles: bool) {
        for i in 0..W {
            let (a, b, c) = (x[0][i], x[1][i], x[2][i]);
            let r = (a * a + b * b + c * c).sqrt();
            x[0][i] = r;
            if !angles {
                (x[1][i], x[2][i]) = (0.0, 0.0);
                continue;
            }
            x[1][i] = if r > 0.0 { (a / r).clamp(-1.0, 1.0).acos().to_degrees() } else { 0.0 };
            x[2][i] = self.turn(b, c);
        }
    }

    #[inline(always)]
    fn cylindrical<const W: usize>(&self, x: &mut [[f64; W]; 4], angles: bool) {
        for i in 0..W {
            let (a, b, c) = (x[0][i], x[1][i], x[2][i]);
            x[0][i] = (b * b + c * c).sqrt();
            x[1][i] = a;
            x[2][i] = if angles { self.turn(b, c) } else { 0.0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(shape: Shape, q: [f64; 3], first_turn: f64) -> [f64; 4] {
        let frame = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        let p = Projection { shape, frame, offset: [0.0, 0.0, 0.0, 2.0], scale: [2.0, 1.0, 1.0, 1.0], first_turn };
        let mut x = [[0.0; 1]; 4];
        for d in 0..3 {
            x[d][0] = q[d];
        }
        x[3][0] = 7.0;
        p.coordinates(&mut x, true);
        x.map(|line| line[0])
    }

    #[test]
    fn angles_start_where_they_are_asked_to() {
        let close = |a: [f64; 4], b: [f64; 4]| a.iter().zip(&b).all(|(x, y)| (x - y).abs() < 1e-12);
        assert!(close(at(Shape::Line, [2.0, 3.0, 4.0], 0.0), [2.0, 3.0, 4.0, 5.0]));
        assert!(close(at(Shape::Sphere, [0.0, 0.0, -4.0], -180.0), [2.0, 90.0, -90.0, 5.0]));
        assert!(close(at(Shape::Sphere, [0.0, 0.0, -4.0], 0.0), [2.0, 90.0, 270.0, 5.0]));
        assert!(close(at(Shape::Sphere, [0.0, 0.0, 0.0], -180.0), [0.0, 0.0, 0.0, 5.0]));
        assert!(close(at(Shape::Cylinder, [1.5, 0.0, 4.0], -180.0), [2.0, 1.5, 90.0, 5.0]));
    }
}
