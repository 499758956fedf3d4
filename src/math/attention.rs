//! Attention of one row to a few others, small enough to run on the host.

use super::{dot, softmax};
use crate::rng::Rng;

/// Multi-head attention as PyTorch's, over one flat list of parameters: the projections of query, key
/// and value [3 width, width] with their biases [3 width], then that of the joined heads [width, width]
/// with its bias [width].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attention {
    /// Numbers of a row.
    pub width: usize,
    /// Heads; they divide `width`.
    pub heads: usize,
}

/// Activations that `forward` keeps for `backward`.
#[derive(Debug, Clone)]
pub struct Trace {
    /// The row out.
    pub output: Vec<f64>,
    input: Vec<f64>,
    keys: Vec<f64>,
    values: Vec<f64>,
    /// The same projected.
    query: Vec<f64>,
    projected_keys: Vec<f64>,
    projected_values: Vec<f64>,
    /// Softmax over the keys, [heads, keys].
    shares: Vec<f64>,
    /// What dropout multiplies them by, [heads, keys].
    kept: Vec<f64>,
    /// The heads side by side.
    joined: Vec<f64>,
}

/// Parts of a list of parameters or of its gradient.
struct Parts<T> {
    /// Weight and bias of the projections of query, key and value.
    inward: [(T, T); 3],
    outward: (T, T),
}

/// W x + b.
fn project<P: Copy + Into<f64>>((w, b): (&[P], &[P]), x: &[f64]) -> Vec<f64> {
    let rows = w.chunks_exact(x.len()).zip(b);
    rows.map(|(w, b)| dot(w, x) + (*b).into()).collect()
}

/// Adds the gradient of W and b from dy; the gradient of x is added to `dx` if it is asked for.
fn project_back<P: Copy + Into<f64>>(
    w: &[P],
    x: &[f64],
    dy: &[f64],
    (gw, gb): &mut (&mut [f64], &mut [f64]),
    dx: Option<&mut [f64]>,
) {
    let n = x.len();
    for ((row, gb), dy) in gw.chunks_exact_mut(n).zip(gb.iter_mut()).zip(dy) {
        *gb += dy;
        row.iter_mut().zip(x).for_each(|(g, x)| *g += dy * x);
    }
    if let Some(dx) = dx {
        for (row, dy) in w.chunks_exact(n).zip(dy) {
            for (dx, w) in dx.iter_mut().zip(row) {
                *dx += dy * (*w).into();
            }
        }
    }
}

impl Attention {
    /// Parameters in all.
    pub fn count(&self) -> usize {
        4 * self.width * (self.width + 1)
    }

    /// As PyTorch starts them: the inner projections uniform in ±√(6 / (4 width)), the outer one in
    /// ±1/√width, biases 0.
    pub fn start(&self, rng: &mut Rng) -> Vec<f32> {
        let w = self.width;
        let mut uniform = |limit: f64, count: usize| -> Vec<f32> {
            (0..count)
                .map(|_| rng.uniform(-limit, limit) as f32)
                .collect()
        };
        let mut all = uniform((1.5 / w as f64).sqrt(), 3 * w * w);
        all.extend(std::iter::repeat_n(0.0, 3 * w));
        all.extend(uniform(1.0 / (w as f64).sqrt(), w * w));
        all.extend(std::iter::repeat_n(0.0, w));
        all
    }

    fn split<'a, P>(&self, p: &'a [P]) -> Parts<&'a [P]> {
        let w = self.width;
        let (weights, rest) = p.split_at(3 * w * w);
        let (biases, rest) = rest.split_at(3 * w);
        let part = |i: usize| (&weights[i * w * w..][..w * w], &biases[i * w..][..w]);
        Parts {
            inward: [part(0), part(1), part(2)],
            outward: rest.split_at(w * w),
        }
    }

    fn split_mut<'a>(&self, p: &'a mut [f64]) -> Parts<&'a mut [f64]> {
        let w = self.width;
        let (weights, rest) = p.split_at_mut(3 * w * w);
        let (biases, rest) = rest.split_at_mut(3 * w);
        let (wq, weights) = weights.split_at_mut(w * w);
        let (wk, wv) = weights.split_at_mut(w * w);
        let (bq, biases) = biases.split_at_mut(w);
        let (bk, bv) = biases.split_at_mut(w);
        Parts {
            inward: [(wq, bq), (wk, bk), (wv, bv)],
            outward: rest.split_at_mut(w * w),
        }
    }

    /// The row out for a query `x` over `keys` and `values` [N, width]. `kept` [heads, N] multiplies
    /// the shares, as dropout does.
    pub fn forward<P: Copy + Into<f64>>(
        &self,
        parameters: &[P],
        x: &[f64],
        keys: &[f64],
        values: &[f64],
        kept: Option<Vec<f64>>,
    ) -> Trace {
        let (w, each) = (self.width, self.width / self.heads);
        let n = keys.len() / w;
        let Parts { inward, outward } = self.split(parameters);
        let [q, k, v] = inward;
        let rows = |part, rows: &[f64]| -> Vec<f64> {
            let rows = rows.chunks_exact(w);
            rows.flat_map(|row| project(part, row)).collect()
        };
        let projected_values = rows(v, values);
        // A single key has the whole share, whatever it is.
        let (query, projected_keys) = match n {
            1 => (Vec::new(), Vec::new()),
            _ => (project(q, x), rows(k, keys)),
        };
        let mut shares = Vec::with_capacity(self.heads * n);
        for head in 0..self.heads {
            if n == 1 {
                shares.push(1.0);
                continue;
            }
            let own = head * each..(head + 1) * each;
            let keys = projected_keys.chunks_exact(w);
            let scores: Vec<f64> = keys
                .map(|key| dot(&query[own.clone()], &key[own.clone()]))
                .collect();
            shares.extend(softmax(&scores, (each as f64).sqrt()));
        }
        let kept = kept.unwrap_or_else(|| vec![1.0; shares.len()]);
        let mut joined = vec![0.0; w];
        for (i, out) in joined.iter_mut().enumerate() {
            let head = i / each;
            for key in 0..n {
                let at = head * n + key;
                *out += shares[at] * kept[at] * projected_values[key * w + i];
            }
        }
        Trace {
            output: project(outward, &joined),
            input: x.to_vec(),
            keys: keys.to_vec(),
            values: values.to_vec(),
            query,
            projected_keys,
            projected_values,
            shares,
            kept,
            joined,
        }
    }

    /// Adds d loss / d parameters to `gradient` and returns d loss / d x, from d loss / d output. Keys
    /// and values are constants.
    pub fn backward<P: Copy + Into<f64>>(
        &self,
        parameters: &[P],
        trace: &Trace,
        dy: &[f64],
        gradient: &mut [f64],
    ) -> Vec<f64> {
        let (w, each) = (self.width, self.width / self.heads);
        let n = trace.keys.len() / w;
        let Parts { inward, outward } = self.split(parameters);
        let mut to = self.split_mut(gradient);
        let mut dx = vec![0.0; w];
        let mut joined = vec![0.0; w];
        project_back(
            outward.0,
            &trace.joined,
            dy,
            &mut to.outward,
            Some(&mut joined),
        );
        let [q, k, v] = inward;
        let [mut to_q, mut to_k, mut to_v] = to.inward;
        let mut shares = vec![0.0; trace.shares.len()];
        for key in 0..n {
            let value = &trace.projected_values[key * w..][..w];
            let mut dv = vec![0.0; w];
            for (i, ((dv, value), g)) in dv.iter_mut().zip(value).zip(&joined).enumerate() {
                let at = i / each * n + key;
                *dv = trace.shares[at] * trace.kept[at] * g;
                shares[at] += trace.kept[at] * value * g;
            }
            let row = &trace.values[key * w..][..w];
            project_back(v.0, row, &dv, &mut to_v, None);
        }
        if n == 1 {
            return dx;
        }
        let root = (each as f64).sqrt();
        let mut dq = vec![0.0; w];
        let mut dk = vec![0.0; n * w];
        for head in 0..self.heads {
            let own = head * n..(head + 1) * n;
            let along = dot(&trace.shares[own.clone()], &shares[own.clone()]);
            for key in 0..n {
                let at = head * n + key;
                let slope = trace.shares[at] * (shares[at] - along) / root;
                for i in head * each..(head + 1) * each {
                    dq[i] += slope * trace.projected_keys[key * w + i];
                    dk[key * w + i] += slope * trace.query[i];
                }
            }
        }
        project_back(q.0, &trace.input, &dq, &mut to_q, Some(&mut dx));
        for (row, dk) in trace.keys.chunks_exact(w).zip(dk.chunks_exact(w)) {
            project_back(k.0, row, dk, &mut to_k, None);
        }
        dx
    }
}
