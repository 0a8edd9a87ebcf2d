//! Where a value is counted. Knows bounds; it counts nothing.

/// How fine the native buckets are: bucket `i` holds what is above `base^(i-1)` and up to
/// `base^i`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Schema {
    /// Base 2.
    Octaves,
    /// Base 2^(1/8): buckets are 9 % wide.
    Eighths,
}

/// The bits behind the point of 2^(1/8) to 2^(7/8), rounded down: no 52 bits are exactly
/// one of these, so what has more bits than this is above.
const EIGHTHS: [u64; 7] = [
    0x1_72b8_3c7d_517a,
    0x3_06fe_0a31_b715,
    0x4_bfda_d536_2a27,
    0x6_a09e_667f_3bcc,
    0x8_ace5_422a_a0db,
    0xa_e89f_995a_d3ad,
    0xd_5818_dcfb_a487,
];

impl Schema {
    /// Its number in Prometheus: the base is 2^(2^-number).
    pub(crate) fn number(self) -> i32 {
        match self {
            Schema::Octaves => 0,
            Schema::Eighths => 3,
        }
    }

    /// The bucket of a value above zero, read off the bits of the number: a logarithm would
    /// take longer, and be off where a bound is.
    fn index(self, value: f64) -> i32 {
        const POINT: u32 = f64::MANTISSA_DIGITS - 1;
        let bits = value.to_bits();
        let octave = (bits >> POINT) as i32 - (f64::MAX_EXP - 1);
        let fraction = bits & ((1 << POINT) - 1);
        let above = |end: u64| i32::from(fraction > end);
        match self {
            Schema::Octaves => octave + above(0),
            Schema::Eighths => octave * 8 + above(0) + EIGHTHS.into_iter().map(above).sum::<i32>(),
        }
    }
}

/// The cells of a histogram: the first for zero, then one for each native bucket of a range,
/// or two where a classic bound cuts it. What lies outside of the range is counted at its end.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(super) schema: Schema,
    pub(super) bounds: &'static [f64],
    /// Fine units to one of the unit in which bounds and values are shown.
    fine: f64,
    lowest: i32,
    /// One for each native bucket from `lowest` on.
    natives: Box<[Native]>,
    cells: Box<[Cell]>,
}

#[derive(Debug)]
struct Native {
    cell: usize,
    /// The classic bound inside; what is above it has the next cell. Infinite: none.
    cut: f64,
}

/// The buckets that a cell belongs to.
#[derive(Debug)]
struct Cell {
    /// None: the zero bucket.
    native: Option<i32>,
    classic: usize,
}

impl Layout {
    /// Lays out the native buckets from `lowest` to `highest`, the values of which must take
    /// in the classic `bounds`.
    pub(crate) fn new(
        schema: Schema,
        [lowest, highest]: [i32; 2],
        bounds: &'static [f64],
        fine: f64,
    ) -> Self {
        let mut cells = vec![Cell { native: None, classic: 0 }];
        let mut natives = Vec::new();
        let mut classic = 0;
        for index in lowest..=highest {
            let cell = cells.len();
            cells.push(Cell { native: Some(index), classic });
            let mut cut = f64::INFINITY;
            if let Some(&bound) = bounds.get(classic).filter(|bound| schema.index(**bound) == index)
            {
                classic += 1;
                // Where the bound is also this bucket's end it cuts nothing.
                if schema.index(bound.next_up()) == index {
                    cut = bound;
                    cells.push(Cell { native: Some(index), classic });
                }
            }
            natives.push(Native { cell, cut });
        }
        assert_eq!(classic, bounds.len(), "each bound has a native bucket of its own");
        let (natives, cells) = (natives.into(), cells.into());
        Self { schema, bounds, fine, lowest, natives, cells }
    }

    /// How many cells there are.
    pub(super) fn cells(&self) -> usize {
        self.cells.len()
    }

    /// The cell of a value in fine units.
    pub(super) fn cell(&self, value: u64) -> usize {
        if value == 0 {
            return 0;
        }
        let value = self.in_units(value);
        let last = self.natives.len() as i32 - 1;
        let native = (self.schema.index(value) - self.lowest).clamp(0, last);
        let native = &self.natives[native as usize];
        native.cell + usize::from(value > native.cut)
    }

    /// A value in the unit that is shown. A division, because it rounds as the bounds were
    /// rounded: a value that is a bound in decimal is not above it.
    pub(super) fn in_units(&self, value: u64) -> f64 {
        value as f64 / self.fine
    }

    pub(super) fn classic(&self, cell: usize) -> usize {
        self.cells[cell].classic
    }

    pub(super) fn native(&self, cell: usize) -> Option<i32> {
        self.cells[cell].native
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The least i with `value <= 2^(i/8)`, in exact arithmetic: with `value = m * 2^e` that
    /// is the least i with `m^8 * 2^(8e) <= 2^i`.
    fn exact_eighth(value: f64) -> i32 {
        let bits = value.to_bits();
        let m = (bits & ((1 << 52) - 1)) | (1 << 52);
        let e = (bits >> 52) as i32 - 1075;
        let mut power = vec![1u64];
        for _ in 0..8 {
            let mut carry = 0;
            for limb in &mut power {
                let product = u128::from(*limb) * u128::from(m) + carry;
                *limb = product as u64;
                carry = product >> 64;
            }
            power.push(carry as u64);
        }
        let top = power.iter().rposition(|limb| *limb != 0).unwrap();
        let floor = 64 * top as i32 + power[top].ilog2() as i32;
        let ones: u32 = power.iter().map(|limb| limb.count_ones()).sum();
        8 * e + floor + i32::from(ones > 1)
    }

    #[test]
    fn the_index_is_exact_at_every_bound() {
        for octave in -40..40 {
            let start = 2f64.powi(octave);
            assert_eq!(Schema::Eighths.index(start), 8 * octave);
            assert_eq!(Schema::Octaves.index(start), octave);
            assert_eq!(Schema::Octaves.index(start.next_up()), octave + 1);
            for (part, end) in (1..).zip(EIGHTHS) {
                let end = f64::from_bits(start.to_bits() | end);
                for value in [end.next_down(), end, end.next_up()] {
                    assert_eq!(Schema::Eighths.index(value), exact_eighth(value), "{value:e}");
                }
                assert_eq!(Schema::Eighths.index(end), 8 * octave + part);
                assert_eq!(Schema::Eighths.index(end.next_up()), 8 * octave + part + 1);
            }
        }
    }

    const BOUNDS: [f64; 5] = [1e-6, 2.5e-6, 1.0, 2.0, 10.0];

    fn layout() -> Layout {
        Layout::new(Schema::Eighths, [-191, 48], &BOUNDS, 1e9)
    }

    #[test]
    fn a_value_that_is_a_bound_belongs_below_it() {
        let layout = layout();
        for (bucket, nanos) in
            [1_000, 2_500, 1_000_000_000, 2_000_000_000, 10_000_000_000].into_iter().enumerate()
        {
            assert_eq!(layout.classic(layout.cell(nanos)), bucket);
            assert_eq!(layout.classic(layout.cell(nanos + 1)), bucket + 1);
        }
    }

    #[test]
    fn what_is_outside_of_the_range_is_counted_at_its_end() {
        let layout = layout();
        assert_eq!(layout.native(layout.cell(0)), None);
        assert_eq!(layout.native(layout.cell(1)), Some(-191));
        let last = layout.cell(u64::MAX);
        assert_eq!((layout.native(last), layout.classic(last)), (Some(48), 5));
    }

    proptest! {
        #[test]
        fn the_index_is_the_logarithm_rounded_up(bits in (1u64 << 52)..(2046 << 52)) {
            let value = f64::from_bits(bits);
            prop_assert_eq!(Schema::Eighths.index(value), exact_eighth(value));
            // The textbook's formula, but where its own rounding decides.
            let eighths = value.log2() * 8.0;
            if (eighths - eighths.round()).abs() > 1e-9 {
                prop_assert_eq!(Schema::Eighths.index(value), eighths.ceil() as i32);
            }
            let octaves = value.log2();
            if (octaves - octaves.round()).abs() > 1e-9 {
                prop_assert_eq!(Schema::Octaves.index(value), octaves.ceil() as i32);
            }
        }

        #[test]
        fn a_cell_lies_in_the_buckets_that_a_search_finds(nanos in 1u64..60_000_000_000) {
            let layout = layout();
            let cell = layout.cell(nanos);
            let value = nanos as f64 / 1e9;
            prop_assert_eq!(layout.classic(cell), BOUNDS.partition_point(|bound| *bound < value));
            prop_assert_eq!(layout.native(cell), Some(exact_eighth(value).max(-191)));
        }
    }
}
