//! Smooth blocks for progressive files whose later scans are missing, with the numbers of
//! libjpeg-turbo 2.1 and later: the standard's estimates (ITU-T T.81, K.8) on a window of five by five
//! blocks.
//!
//! A coefficient that is zero and not yet known exactly is estimated from the DC values around its
//! block. While no other coefficient of a component is known at all, more of them are estimated, with
//! wider windows, and the DC value too.

use super::components::QuantTable;
use super::frame::Frame;
use super::idct::Block;

/// The bit of each coefficient that the scans have reached, in the coded order: [`UNKNOWN`] if none
/// brought it, 0 if it is exact.
pub(super) type Reached = [u8; 64];

pub(super) const UNKNOWN: u8 = 255;

/// Weights of the DC values around a block, in 256ths of a step of the DC's quantizer.
type Window = [[i32; 5]; 5];

/// How one coefficient is estimated.
struct Estimate {
    /// Place in the block.
    at: usize,
    /// While no coefficient but the DC value is known.
    alone: Window,
    /// Once others are known; `None` leaves it zero then.
    beside_others: Option<Window>,
}

/// Vertical frequencies as the horizontal ones.
const fn turned(window: Window) -> Window {
    let mut turned = window;
    let mut y = 0;
    while y < 5 {
        let mut x = 0;
        while x < 5 {
            turned[y][x] = window[x][y];
            x += 1;
        }
        y += 1;
    }
    turned
}

const NONE: [i32; 5] = [0; 5];

const DC: Window = [
    [-2, -6, -8, -6, -2],
    [-6, 6, 42, 6, -6],
    [-8, 42, 152, 42, -8],
    [-6, 6, 42, 6, -6],
    [-2, -6, -8, -6, -2],
];

const AC01: Window = [
    [-1, -1, 0, 1, 1],
    [-3, 13, 0, -13, 3],
    [-3, 38, 0, -38, 3],
    [-3, 13, 0, -13, 3],
    [-1, -1, 0, 1, 1],
];
const AC01_BESIDE: Window = [NONE, NONE, [-7, 50, 0, -50, 7], NONE, NONE];

const AC02: Window = [
    NONE,
    [0, 2, -5, 2, 0],
    [1, 7, -14, 7, 1],
    [0, 2, -5, 2, 0],
    NONE,
];
const AC02_BESIDE: Window = [NONE, NONE, [-1, 13, -24, 13, -1], NONE, NONE];

const AC11: Window = [
    [-1, 0, 0, 0, 1],
    [0, 9, 0, -9, 0],
    NONE,
    [0, -9, 0, 9, 0],
    [1, 0, 0, 0, -1],
];
const AC11_BESIDE: Window = [
    [0, -1, 0, 1, 0],
    [-1, 10, 0, -10, 1],
    NONE,
    [1, -10, 0, 10, -1],
    [0, 1, 0, -1, 0],
];

const AC03: Window = [
    NONE,
    [0, 1, 0, -1, 0],
    [0, 2, 0, -2, 0],
    [0, 1, 0, -1, 0],
    NONE,
];
const AC12: Window = [NONE, [0, 1, -3, 1, 0], NONE, [0, -1, 3, -1, 0], NONE];

const fn estimate(at: usize, alone: Window, beside_others: Option<Window>) -> Estimate {
    Estimate {
        at,
        alone,
        beside_others,
    }
}

/// The coefficients behind the DC value, in the coded order.
const ESTIMATES: [Estimate; 9] = [
    estimate(1, AC01, Some(AC01_BESIDE)),
    estimate(8, turned(AC01), Some(turned(AC01_BESIDE))),
    estimate(16, turned(AC02), Some(turned(AC02_BESIDE))),
    estimate(9, AC11, Some(AC11_BESIDE)),
    estimate(2, AC02, Some(AC02_BESIDE)),
    estimate(3, AC03, None),
    estimate(10, AC12, None),
    estimate(17, turned(AC12), None),
    estimate(24, turned(AC03), None),
];

/// The bits of the coefficients that are estimated.
fn bits(reached: &Reached) -> &[u8] {
    &reached[1..=ESTIMATES.len()]
}

/// Whether blocks are smoothed: some low coefficient of some component is not exact, and nothing would
/// be divided by zero.
pub(super) fn is_wanted(components: &[(&QuantTable, &Reached)]) -> bool {
    let divides = |quant: &QuantTable| {
        quant[0] > 0 && ESTIMATES.iter().all(|estimate| quant[estimate.at] > 0)
    };
    components.iter().all(|(quant, _)| divides(quant))
        && components
            .iter()
            .any(|(_, reached)| bits(reached).iter().any(|&bit| bit != 0))
}

/// The blocks of one component and what is known of them.
pub(super) struct Smoother<'a> {
    pub blocks: &'a [Block],
    /// Blocks per stored row.
    pub stride: usize,
    pub quant: &'a QuantTable,
    pub reached: &'a Reached,
    /// Blocks across that belong to the image.
    across: usize,
    /// Blocks down that belong to it, in an MCU and in all.
    per_mcu: usize,
    down: usize,
    mcu_rows: usize,
}

impl<'a> Smoother<'a> {
    /// For the `blocks` of `component` of `frame`.
    pub fn new(
        frame: &Frame,
        component: usize,
        blocks: &'a [Block],
        quant: &'a QuantTable,
        reached: &'a Reached,
    ) -> Self {
        let (across, down) = frame.own_blocks(component);
        Self {
            blocks,
            stride: frame.stride(component),
            quant,
            reached,
            across: across as usize,
            per_mcu: frame.components[component].v as usize,
            down: down as usize,
            mcu_rows: frame.mcus().1 as usize,
        }
    }

    /// The block in column `x` and row `y`, smooth. Blocks that only fill the last MCU stay as they are.
    pub fn block(&self, x: usize, y: usize) -> Block {
        let mut block = self.blocks[y * self.stride + x];
        if x >= self.across || y >= self.down {
            return block;
        }
        let around = self.around(x, y);
        let bits = bits(self.reached);
        let alone = bits.iter().all(|&bit| bit == UNKNOWN);
        for (estimate, &bit) in ESTIMATES.iter().zip(bits) {
            let window = match alone {
                true => Some(&estimate.alone),
                false => estimate.beside_others.as_ref(),
            };
            let Some(window) = window.filter(|_| bit != 0 && block[estimate.at] == 0) else {
                continue;
            };
            let value = self.estimated(window, &around, self.quant[estimate.at]);
            // What is known says that the value is smaller than one step of that bit.
            let most = if bit == UNKNOWN {
                i32::MAX
            } else {
                (1 << bit) - 1
            };
            block[estimate.at] = value.clamp(-most, most) as i16;
        }
        if alone {
            block[0] = self.estimated(&DC, &around, self.quant[0]) as i16;
        }
        block
    }

    /// The DC values around a block, those at the edge repeated.
    fn around(&self, x: usize, y: usize) -> Window {
        let (above, below) = self.reach(y);
        std::array::from_fn(|row| {
            let y = match row {
                0 | 1 => y - above.min(2 - row),
                _ => y + below.min(row - 2),
            };
            std::array::from_fn(|column| {
                let x = (x + column).saturating_sub(2).min(self.across - 1);
                i32::from(self.blocks[y * self.stride + x][0])
            })
        })
    }

    /// How many rows of blocks above and below row `y` are looked at. Where the last MCU is not filled
    /// with rows of the image, libjpeg counts them as if no MCU was, and looks at the filling from above.
    fn reach(&self, y: usize) -> (usize, usize) {
        let mcu = y / self.per_mcu;
        let in_last = self.down - (self.mcu_rows - 1) * self.per_mcu;
        let here = if mcu + 1 == self.mcu_rows {
            in_last
        } else {
            self.per_mcu
        };
        let row = mcu * here + y % self.per_mcu;
        (row.min(2), (here * self.mcu_rows - 1 - row).min(2))
    }

    /// The weighted sum of the DC values in steps of `quant`, rounded to the nearest.
    fn estimated(&self, window: &Window, around: &Window, quant: u16) -> i32 {
        let pairs = window.as_flattened().iter().zip(around.as_flattened());
        let sum: i64 = pairs.map(|(&w, &dc)| i64::from(w) * i64::from(dc)).sum();
        let (sum, quant) = (sum * i64::from(self.quant[0]), i64::from(quant));
        let size = ((quant << 7) + sum.abs()) / (quant << 8);
        (size * sum.signum()) as i32
    }
}
