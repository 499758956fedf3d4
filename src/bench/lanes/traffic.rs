//! What the accesses of 32 neighboring invocations cost in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use naga::{AddressSpace, Module};

use super::invocation::{Access, Lost, Trace, run};
use super::place::Place;
use super::value::Value;

/// Invocations that run in step.
pub const LANES: u32 = 32;
/// Banks of workgroup memory, each four bytes wide.
const BANKS: u32 = 32;
/// Bytes that memory hands over at once.
const SECTOR: u32 = 32;

/// The traffic of one group of 32 invocations.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Traffic {
    /// Float operations of all lanes.
    pub flops: u64,
    /// Cycles of workgroup memory: in each it reads or writes one word of every bank.
    pub cycles: u64,
    /// The same if no two words lay in one bank.
    pub least_cycles: u64,
    /// The worst access: how many times the cycles it takes that it would without conflicts.
    pub worst_conflict: f64,
    /// Bytes of global memory that were wanted.
    pub wanted_bytes: u64,
    /// Bytes of the sectors that hold them.
    pub moved_bytes: u64,
}

/// Runs the first 32 invocations of workgroup `group`.
///
/// # Errors
/// Why the kernel could not be followed.
pub fn traffic(module: &Module, place: Place, uniform: &[Value]) -> Result<Traffic, Lost> {
    let invocations: u32 = place.size.iter().product();
    let traces: Vec<Trace> = (0..LANES.min(invocations))
        .map(|local| run(module, Place { local, ..place }, uniform))
        .collect::<Result<_, _>>()?;
    let mut sum = Traffic {
        flops: traces.iter().map(|trace| trace.flops).sum(),
        ..Traffic::default()
    };
    for access in in_step(&traces) {
        let space = module.global_variables[access[0].variable].space;
        if space == AddressSpace::WorkGroup {
            let (cycles, least) = bank_cycles(&access);
            sum.cycles += cycles;
            sum.least_cycles += least;
            sum.worst_conflict = sum.worst_conflict.max(cycles as f64 / least as f64);
        } else {
            let (wanted, moved) = sectors(&access);
            sum.wanted_bytes += wanted;
            sum.moved_bytes += moved;
        }
    }
    Ok(sum)
}

/// The accesses that the lanes make together: the same instruction for the same time.
fn in_step(traces: &[Trace]) -> Vec<Vec<Access>> {
    let mut together: BTreeMap<(usize, usize), Vec<Access>> = BTreeMap::new();
    for trace in traces {
        let mut times: HashMap<usize, usize> = HashMap::new();
        for access in &trace.accesses {
            let time = times.entry(access.instruction).or_default();
            let key = (access.instruction, *time);
            *time += 1;
            together.entry(key).or_default().push(*access);
        }
    }
    together.into_values().collect()
}

/// Cycles that an access takes: lanes that want the same word share it, others in the same bank wait.
fn bank_cycles(access: &[Access]) -> (u64, u64) {
    let words: BTreeSet<u32> = access
        .iter()
        .flat_map(|one| one.byte / 4..(one.byte + one.bytes).div_ceil(4))
        .collect();
    let mut banks = [0; BANKS as usize];
    for word in &words {
        banks[(word % BANKS) as usize] += 1;
    }
    let most = banks.iter().max().copied().unwrap_or(0);
    (most, (words.len() as u64).div_ceil(u64::from(BANKS)))
}

fn sectors(access: &[Access]) -> (u64, u64) {
    let bytes: BTreeSet<u32> = access
        .iter()
        .flat_map(|one| (one.byte..one.byte + one.bytes).step_by(4))
        .collect();
    let sectors: BTreeSet<u32> = bytes.iter().map(|byte| byte / SECTOR).collect();
    let moved = sectors.len() as u64 * u64::from(SECTOR);
    (bytes.len() as u64 * 4, moved)
}
