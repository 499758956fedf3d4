//! A bidirectional LSTM of one layer over a few rows, small enough to run on the host.

use crate::math::dot;
use crate::rng::Rng;

/// One layer, rows of `input` numbers in, rows of 2 `hidden` out: the states of the forward direction,
/// then those of the backward direction. Over one flat list of parameters, for each direction: W [4 hidden, input],
/// U [4 hidden, hidden], b [4 hidden], with the gates in PyTorch's order i, f, g, o.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lstm {
    /// Numbers of a row.
    pub input: usize,
    /// Hidden units of each direction.
    pub hidden: usize,
}

/// The gates and the cell after one row.
#[derive(Debug, Clone)]
struct Moment {
    gates: Vec<f64>,
    cell: Vec<f64>,
    state: Vec<f64>,
}

/// Activations saved by `forward` for `backward`.
#[derive(Debug, Clone)]
pub struct Trace {
    /// The rows out, [M, 2 hidden].
    pub output: Vec<f64>,
    input: Vec<f64>,
    /// Both directions, in the order in which each saw the rows.
    moments: [Vec<Moment>; 2],
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

impl Lstm {
    /// Parameters of one direction.
    fn half(&self) -> usize {
        4 * self.hidden * (self.input + self.hidden + 1)
    }

    /// Parameters in all.
    pub fn count(&self) -> usize {
        2 * self.half()
    }

    /// Uniform in ±1/√hidden, as PyTorch's.
    pub fn start(&self, rng: &mut Rng) -> Vec<f32> {
        let limit = 1.0 / (self.hidden as f64).sqrt();
        (0..self.count())
            .map(|_| rng.uniform(-limit, limit) as f32)
            .collect()
    }

    /// W, U and b of one direction.
    fn split<'a>(&self, p: &'a [f32], direction: usize) -> [&'a [f32]; 3] {
        let own = &p[direction * self.half()..][..self.half()];
        let (w, rest) = own.split_at(4 * self.hidden * self.input);
        let (u, b) = rest.split_at(4 * self.hidden * self.hidden);
        [w, u, b]
    }

    /// Places of the rows in the order of a direction.
    fn order(rows: usize, direction: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..rows).collect();
        if direction == 1 {
            order.reverse();
        }
        order
    }

    /// The rows out for rows `x` [M, input].
    pub fn forward(&self, parameters: &[f32], x: &[f64]) -> Trace {
        let rows: Vec<&[f64]> = x.chunks_exact(self.input).collect();
        let h = self.hidden;
        let mut output = vec![0.0; rows.len() * 2 * h];
        let moments = [0, 1].map(|direction| {
            let [w, u, b] = self.split(parameters, direction);
            let mut moments: Vec<Moment> = Vec::with_capacity(rows.len());
            for place in Self::order(rows.len(), direction) {
                let none = vec![0.0; h];
                let (state, cell) = match moments.last() {
                    Some(last) => (&last.state, &last.cell),
                    None => (&none, &none),
                };
                let lines = w.chunks_exact(self.input).zip(u.chunks_exact(h)).zip(b);
                let gates: Vec<f64> = lines
                    .enumerate()
                    .map(|(n, ((w, u), b))| {
                        let z = dot(w, rows[place]) + dot(u, state) + f64::from(*b);
                        if n / h == 2 { z.tanh() } else { sigmoid(z) }
                    })
                    .collect();
                let cell: Vec<f64> = (0..h)
                    .map(|n| gates[h + n] * cell[n] + gates[n] * gates[2 * h + n])
                    .collect();
                let state: Vec<f64> = (0..h).map(|n| gates[3 * h + n] * cell[n].tanh()).collect();
                output[place * 2 * h + direction * h..][..h].copy_from_slice(&state);
                moments.push(Moment { gates, cell, state });
            }
            moments
        });
        Trace {
            output,
            input: x.to_vec(),
            moments,
        }
    }

    /// Adds d loss / d parameters to `gradient` and returns d loss / d x, from d loss / d output.
    pub fn backward(&self, p: &[f32], trace: &Trace, dy: &[f64], gradient: &mut [f64]) -> Vec<f64> {
        let (h, width, x) = (self.hidden, self.input, &trace.input);
        let mut dx = vec![0.0; x.len()];
        for (direction, moments) in trace.moments.iter().enumerate() {
            let [w, u, _] = self.split(p, direction);
            let own = &mut gradient[direction * self.half()..][..self.half()];
            let (gw, rest) = own.split_at_mut(4 * h * width);
            let (gu, gb) = rest.split_at_mut(4 * h * h);
            let order = Self::order(moments.len(), direction);
            let none = vec![0.0; h];
            let (mut later_state, mut later_cell) = (none.clone(), none.clone());
            for (step, place) in order.iter().enumerate().rev() {
                let Moment { gates, cell, .. } = &moments[step];
                let before = step.checked_sub(1).map(|earlier| &moments[earlier]);
                let (old_cell, old_state) =
                    before.map_or((&none, &none), |moment| (&moment.cell, &moment.state));
                let mut dz = vec![0.0; 4 * h];
                for n in 0..h {
                    let [i, f, g, o] = [0, 1, 2, 3].map(|gate| gates[gate * h + n]);
                    let state = dy[place * 2 * h + direction * h + n] + later_state[n];
                    let tanh = cell[n].tanh();
                    let dc = state * o * (1.0 - tanh * tanh) + later_cell[n];
                    dz[n] = dc * g * i * (1.0 - i);
                    dz[h + n] = dc * old_cell[n] * f * (1.0 - f);
                    dz[2 * h + n] = dc * i * (1.0 - g * g);
                    dz[3 * h + n] = state * tanh * o * (1.0 - o);
                    later_cell[n] = dc * f;
                }
                later_state.fill(0.0);
                let row = place * width..(place + 1) * width;
                for (line, dz) in dz.iter().enumerate() {
                    gb[line] += dz;
                    let weights = line * width..(line + 1) * width;
                    let pairs = gw[weights.clone()].iter_mut().zip(&w[weights]);
                    for ((g, w), (dx, x)) in
                        pairs.zip(dx[row.clone()].iter_mut().zip(&x[row.clone()]))
                    {
                        *g += dz * x;
                        *dx += dz * f64::from(*w);
                    }
                    let loops = line * h..(line + 1) * h;
                    let pairs = gu[loops.clone()].iter_mut().zip(&u[loops]);
                    for ((g, u), (back, s)) in pairs.zip(later_state.iter_mut().zip(old_state)) {
                        *g += dz * s;
                        *back += dz * f64::from(*u);
                    }
                }
            }
        }
        dx
    }
}
