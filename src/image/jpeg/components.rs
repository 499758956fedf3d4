//! What has been decoded of each component: samples at once if a scan brings whole blocks,
//! else coefficients that later scans add to.

use super::frame::Frame;
use super::idct::Block;
use super::reduction::Reduction;
use super::smooth::{Reached, Smoother, is_wanted};
use super::upsample::Plane;
use super::{invalid, too_large};
use crate::error::Result;

pub(super) type QuantTable = [u16; 64];

/// The decoded components of a frame.
pub(super) struct Components {
    all: Vec<Component>,
    progressive: bool,
}

struct Component {
    /// Fixed when the first scan of the component begins.
    quant: Option<QuantTable>,
    blocks_across: usize,
    reduction: Reduction,
    plane: Plane,
    /// Of a progressive frame only.
    coefficients: Vec<Block>,
}

/// By how much the blocks of `component` are reduced, and how many output columns and rows one of its
/// samples then stands for. Color that is stored at half the size is reduced by half as much.
fn scaled(frame: &Frame, component: usize, reduction: Reduction) -> (Reduction, (usize, usize)) {
    let factors = &frame.components[component];
    let (mut across, mut down) = (frame.h_max / factors.h, frame.v_max / factors.v);
    let mut own = reduction;
    while let Some(less) = own.less()
        && across.is_multiple_of(2)
        && down.is_multiple_of(2)
    {
        (own, across, down) = (less, across / 2, down / 2);
    }
    (own, (across as usize, down as usize))
}

impl Components {
    /// Room for the components of `frame`, to be decoded at `reduction`. An error when decoding would
    /// take more than `max_alloc` bytes, the final pixels included.
    pub fn new(frame: &Frame, reduction: Reduction, max_alloc: u64) -> Result<Self> {
        let count = frame.components.len();
        let scaled: Vec<_> = (0..count).map(|c| scaled(frame, c, reduction)).collect();
        let blocks = |c: usize| frame.padded_blocks(c) as u64;
        let samples: Vec<u64> = (0..count)
            .map(|c| (scaled[c].0.block_side() as u64).pow(2) * blocks(c))
            .collect();
        let total: u64 = samples.iter().sum();
        let channels = if count == 1 { 1 } else { 3 };
        let (width, height) = (reduction.of(frame.width), reduction.of(frame.height));
        let pixels = u64::from(width) * u64::from(height) * channels;
        let mut needed = total + pixels;
        if frame.progressive {
            // Coefficients are two bytes each, and given back as the planes are made.
            let largest = samples.iter().max().copied().unwrap_or(0);
            let coefficients: u64 = (0..count).map(|c| 2 * 64 * blocks(c)).sum();
            needed = needed.max(coefficients + largest);
        }
        if needed > max_alloc {
            return Err(too_large());
        }
        let all = (0..count)
            .map(|c| {
                let blocks = frame.padded_blocks(c);
                let (reduction, scale) = scaled[c];
                let side = reduction.block_side();
                let (width, height) = frame.samples(c);
                let (width, height) = (reduction.of(width), reduction.of(height));
                let (samples, coefficients) = match frame.progressive {
                    false => (vec![0; blocks * side * side], Vec::new()),
                    true => (Vec::new(), vec![[0; 64]; blocks]),
                };
                Component {
                    quant: None,
                    blocks_across: frame.stride(c),
                    reduction,
                    plane: Plane {
                        samples,
                        stride: frame.stride(c) * side,
                        width: width as usize,
                        height: height as usize,
                        scale,
                    },
                    coefficients,
                }
            })
            .collect();
        Ok(Self {
            all,
            progressive: frame.progressive,
        })
    }

    /// Fixes the quantization table of `component` unless an earlier scan did.
    pub fn quantize(&mut self, component: usize, table: Option<&QuantTable>) -> Result<()> {
        let quant = &mut self.all[component].quant;
        if quant.is_none() {
            *quant = Some(*table.ok_or_else(|| invalid("a quantisation table is missing"))?);
        }
        Ok(())
    }

    /// Lets `read` fill or refine the block of `component` in column `x` and row `y` of blocks.
    #[inline]
    pub fn update(
        &mut self,
        component: usize,
        (x, y): (usize, usize),
        read: impl FnOnce(&mut Block) -> Result<()>,
    ) -> Result<()> {
        let c = &mut self.all[component];
        if self.progressive {
            return read(&mut c.coefficients[y * c.blocks_across + x]);
        }
        let mut block = [0; 64];
        read(&mut block)?;
        if let Some(quant) = &c.quant {
            c.reduction.place(&block, quant, &mut c.plane, (x, y));
        }
        Ok(())
    }

    /// The planes of samples of `frame`, once every scan has been read and the coefficients are known
    /// as far as `reached` says.
    pub fn into_planes(self, frame: &Frame, reached: &[Reached]) -> Vec<Plane> {
        let known = self.all.iter().zip(reached);
        let known: Option<Vec<_>> = known
            .map(|(c, reached)| Some((c.quant.as_ref()?, reached)))
            .collect();
        let smooth = self.progressive && known.is_some_and(|all| is_wanted(&all));
        let plane = |(component, c): (usize, Component)| {
            let mut plane = c.plane;
            if let (true, Some(quant)) = (self.progressive, &c.quant) {
                let side = c.reduction.block_side();
                plane.samples = vec![0; c.coefficients.len() * side * side];
                let reached = &reached[component];
                let smoother = Smoother::new(frame, component, &c.coefficients, quant, reached);
                for (i, block) in c.coefficients.iter().enumerate() {
                    let (x, y) = (i % c.blocks_across, i / c.blocks_across);
                    let block = if smooth { smoother.block(x, y) } else { *block };
                    c.reduction.place(&block, quant, &mut plane, (x, y));
                }
            }
            plane
        };
        self.all.into_iter().enumerate().map(plane).collect()
    }
}
