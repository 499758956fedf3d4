//! The JPEG frame header: size and components (ITU-T T.81, B.2.2).

use super::invalid;
use crate::error::Result;

/// What a start-of-frame segment declares.
#[derive(Debug)]
pub(super) struct Frame {
    pub width: u32,
    pub height: u32,
    pub progressive: bool,
    pub components: Vec<Component>,
    pub h_max: u32,
    pub v_max: u32,
}

/// One color component of a frame.
#[derive(Debug)]
pub(super) struct Component {
    pub id: u8,
    /// Horizontal sampling factor.
    pub h: u32,
    /// Vertical sampling factor.
    pub v: u32,
    /// Slot of its quantization table.
    pub quant: usize,
}

impl Frame {
    /// Reads the segment behind `marker` (its payload without the length).
    pub fn parse(marker: u8, segment: &[u8]) -> Result<Self> {
        match marker {
            0xc0..=0xc2 => {}
            0xc9 | 0xca => return Err(invalid("arithmetic coding")),
            _ => return Err(invalid("lossless or hierarchical coding")),
        }
        let [precision, h1, h0, w1, w0, count, rest @ ..] = segment else {
            return Err(invalid("a short frame header"));
        };
        if *precision != 8 {
            return Err(invalid("samples of more than 8 bits"));
        }
        let height = u32::from(u16::from_be_bytes([*h1, *h0]));
        let width = u32::from(u16::from_be_bytes([*w1, *w0]));
        if width == 0 || height == 0 {
            return Err(invalid("no pixels declared"));
        }
        let count = usize::from(*count);
        let (triples, _) = rest.as_chunks::<3>();
        if !(1..=4).contains(&count) || triples.len() < count {
            return Err(invalid("an impossible number of components"));
        }
        let components: Vec<Component> = triples[..count]
            .iter()
            .map(|&[id, sampling, quant]| Component {
                id,
                h: u32::from(sampling >> 4),
                v: u32::from(sampling & 15),
                quant: usize::from(quant),
            })
            .collect();
        if components
            .iter()
            .any(|c| !(1..=4).contains(&c.h) || !(1..=4).contains(&c.v))
        {
            return Err(invalid("impossible sampling factors"));
        }
        let h_max = components.iter().map(|c| c.h).max().unwrap_or(1);
        let v_max = components.iter().map(|c| c.v).max().unwrap_or(1);
        // Like libjpeg, which resamples by whole numbers only.
        if components
            .iter()
            .any(|c| h_max % c.h != 0 || v_max % c.v != 0)
        {
            return Err(invalid("sampling factors that are no multiples"));
        }
        Ok(Self {
            width,
            height,
            progressive: marker == 0xc2,
            components,
            h_max,
            v_max,
        })
    }

    /// MCUs across and down in a scan of several components.
    pub fn mcus(&self) -> (u32, u32) {
        (
            self.width.div_ceil(8 * self.h_max),
            self.height.div_ceil(8 * self.v_max),
        )
    }

    /// Samples across and down of `component` that belong to the image.
    pub fn samples(&self, component: usize) -> (u32, u32) {
        let c = &self.components[component];
        (
            (self.width * c.h).div_ceil(self.h_max),
            (self.height * c.v).div_ceil(self.v_max),
        )
    }

    /// Blocks across and down of `component` in a scan of its own.
    pub fn own_blocks(&self, component: usize) -> (u32, u32) {
        let (width, height) = self.samples(component);
        (width.div_ceil(8), height.div_ceil(8))
    }

    /// Blocks per row of `component` when rows are padded to whole MCUs.
    pub fn stride(&self, component: usize) -> usize {
        (self.mcus().0 * self.components[component].h) as usize
    }

    /// Blocks of `component` when padded to whole MCUs.
    pub fn padded_blocks(&self, component: usize) -> usize {
        self.stride(component) * (self.mcus().1 * self.components[component].v) as usize
    }
}
