//! What has been decoded of each component: samples at once where a scan brings whole blocks,
//! else coefficients that later scans add to.

use super::frame::Frame;
use super::idct::{Block, inverse};
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
    plane: Plane,
    /// Of a progressive frame only.
    coefficients: Vec<Block>,
}

impl Components {
    /// Room for the components of `frame`. An error when decoding would take more than
    /// `max_alloc` bytes, the final pixels included.
    pub fn new(frame: &Frame, max_alloc: u64) -> Result<Self> {
        let count = frame.components.len();
        let samples: Vec<u64> = (0..count)
            .map(|c| 64 * frame.padded_blocks(c) as u64)
            .collect();
        let total: u64 = samples.iter().sum();
        let channels = if count == 1 { 1 } else { 3 };
        let pixels = u64::from(frame.width) * u64::from(frame.height) * channels;
        let mut needed = total + pixels;
        if frame.progressive {
            // Coefficients are two bytes each, and given back as the planes are made.
            let largest = samples.iter().max().copied().unwrap_or(0);
            needed = needed.max(2 * total + largest);
        }
        if needed > max_alloc {
            return Err(too_large());
        }
        let all = (0..count)
            .map(|c| {
                let blocks = frame.padded_blocks(c);
                let (width, height) = frame.samples(c);
                let factors = &frame.components[c];
                let (samples, coefficients) = match frame.progressive {
                    false => (vec![0; blocks * 64], Vec::new()),
                    true => (Vec::new(), vec![[0; 64]; blocks]),
                };
                Component {
                    quant: None,
                    blocks_across: frame.stride(c),
                    plane: Plane {
                        samples,
                        stride: frame.stride(c) * 8,
                        width: width as usize,
                        height: height as usize,
                        scale: (
                            (frame.h_max / factors.h) as usize,
                            (frame.v_max / factors.v) as usize,
                        ),
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
            let start = y * 8 * c.plane.stride + x * 8;
            inverse(&block, quant, &mut c.plane.samples[start..], c.plane.stride);
        }
        Ok(())
    }

    /// The planes of samples, once every scan has been read.
    pub fn into_planes(self) -> Vec<Plane> {
        let plane = |c: Component| {
            let mut plane = c.plane;
            if let (true, Some(quant)) = (self.progressive, &c.quant) {
                plane.samples = vec![0; c.coefficients.len() * 64];
                for (i, block) in c.coefficients.iter().enumerate() {
                    let (x, y) = (i % c.blocks_across, i / c.blocks_across);
                    let start = y * 8 * plane.stride + x * 8;
                    inverse(block, quant, &mut plane.samples[start..], plane.stride);
                }
            }
            plane
        };
        self.all.into_iter().map(plane).collect()
    }
}
