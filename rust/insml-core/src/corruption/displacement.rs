//! Bins a little beside where they are thought to be.

/// How slices are turned over and moved.
pub struct Displacement<'a> {
    /// Which axes are mirrored, then whether they are exchanged (as many rows as columns).
    pub mirrored: [bool; 2],
    pub swapped: bool,
    /// Bins towards higher index along both axes, from -1 to 1, after mirroring; edges are continued.
    pub shift: [f32; 2],
    /// Each slice is mixed with a share, from 0 to 1, of another one, then scaled.
    pub other: &'a [usize],
    pub share: &'a [f32],
    pub scale: &'a [f32],
}

/// Slices of `rows` x `columns` bins: mirrored, exchanged, moved by linear interpolation, mixed and scaled, in this order.
pub fn displaced(clean: &[f32], [rows, columns]: [usize; 2], how: &Displacement) -> Vec<f32> {
    let size = rows * columns;
    let mut moved = vec![0.0; clean.len()];
    let mut buffer = vec![0.0; size];
    for (out, slice) in moved.chunks_exact_mut(size).zip(clean.chunks_exact(size)) {
        for (i, row) in buffer.chunks_exact_mut(columns).enumerate() {
            let from = &slice[if how.mirrored[0] { rows - 1 - i } else { i } * columns..][..columns];
            row.copy_from_slice(from);
            if how.mirrored[1] {
                row.reverse();
            }
        }
        if how.swapped {
            for i in 0..rows {
                for j in 0..i {
                    buffer.swap(i * columns + j, j * columns + i);
                }
            }
        }
        move_rows(&buffer, columns, how.shift[0], out);
        for row in out.chunks_exact_mut(columns) {
            move_along(row, how.shift[1]);
        }
    }
    let mut mixed = vec![0.0; clean.len()];
    for (s, out) in mixed.chunks_exact_mut(size).enumerate() {
        let (share, scale) = (how.share[s], how.scale[s]);
        let (own, other) = (&moved[s * size..][..size], &moved[how.other[s] * size..][..size]);
        for ((x, own), other) in out.iter_mut().zip(own).zip(other) {
            *x = (own + share * (other - own)) * scale;
        }
    }
    mixed
}

fn move_rows(slice: &[f32], columns: usize, shift: f32, out: &mut [f32]) {
    let share = shift.abs();
    let rows = slice.len() / columns;
    for (i, out) in out.chunks_exact_mut(columns).enumerate() {
        let neighbour = if shift > 0.0 { i.saturating_sub(1) } else { (i + 1).min(rows - 1) };
        let (own, other) = (&slice[i * columns..][..columns], &slice[neighbour * columns..][..columns]);
        for ((x, own), other) in out.iter_mut().zip(own).zip(other) {
            *x = own + share * (other - own);
        }
    }
}

fn move_along(row: &mut [f32], shift: f32) {
    let share = shift.abs();
    if shift > 0.0 {
        for j in (1..row.len()).rev() {
            row[j] += share * (row[j - 1] - row[j]);
        }
    } else {
        for j in 1..row.len() {
            row[j - 1] += share * (row[j] - row[j - 1]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn still() -> Displacement<'static> {
        Displacement {
            mirrored: [false; 2],
            swapped: false,
            shift: [0.0; 2],
            other: &[0, 0],
            share: &[0.0; 2],
            scale: &[1.0; 2],
        }
    }

    #[test]
    fn mirrors_come_before_the_exchange() {
        let numbers = [1.0, 2.0, 3.0, 4.0];
        let found = displaced(&numbers, [2, 2], &Displacement { mirrored: [true, false], ..still() });
        assert_eq!(found, [3.0, 4.0, 1.0, 2.0]);
        let found = displaced(&numbers, [2, 2], &Displacement { mirrored: [true, false], swapped: true, ..still() });
        assert_eq!(found, [3.0, 1.0, 4.0, 2.0]);
    }

    #[test]
    fn moves_are_linear_and_continue_edges() {
        let numbers = [0.0, 8.0, 16.0, 40.0, 48.0, 56.0];
        let found = displaced(&numbers, [2, 3], &Displacement { shift: [0.0, 0.25], ..still() });
        assert_eq!(found, [0.0, 6.0, 14.0, 40.0, 46.0, 54.0]);
        let found = displaced(&numbers, [2, 3], &Displacement { shift: [0.0, -0.25], ..still() });
        assert_eq!(found, [2.0, 10.0, 16.0, 42.0, 50.0, 56.0]);
        let found = displaced(&numbers, [2, 3], &Displacement { shift: [0.5, 0.0], ..still() });
        assert_eq!(found, [0.0, 8.0, 16.0, 20.0, 28.0, 36.0]);
        let found = displaced(&numbers, [2, 3], &Displacement { shift: [-0.5, 0.0], ..still() });
        assert_eq!(found, [20.0, 28.0, 36.0, 40.0, 48.0, 56.0]);
    }

    #[test]
    fn slices_are_mixed_with_what_the_other_was() {
        let how = Displacement { other: &[1, 0], share: &[0.25, 0.5], scale: &[1.0, 2.0], ..still() };
        assert_eq!(displaced(&[4.0, 8.0], [1, 1], &how), [5.0, 12.0]);
    }
}
