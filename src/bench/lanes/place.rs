//! Where an invocation stands, and what its entry point is told of it.

use super::invocation::Lost;
use super::value::Value;

/// Where an invocation stands in its dispatch.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// `workgroup_id`.
    pub group: [u32; 3],
    /// `num_workgroups`.
    pub groups: [u32; 3],
    /// `@workgroup_size`.
    pub size: [u32; 3],
    /// `local_invocation_index`.
    pub local: u32,
}

impl Place {
    /// The value of an argument of the entry point.
    pub fn builtin(self, argument: &naga::FunctionArgument) -> Result<Value, Lost> {
        let vector = |of: [u32; 3]| Value::Several(of.map(Value::Int).to_vec());
        let [x, y, _] = self.size;
        let local = self.local;
        match argument.binding {
            Some(naga::Binding::BuiltIn(naga::BuiltIn::WorkGroupId)) => Ok(vector(self.group)),
            Some(naga::Binding::BuiltIn(naga::BuiltIn::NumWorkGroups)) => Ok(vector(self.groups)),
            Some(naga::Binding::BuiltIn(naga::BuiltIn::LocalInvocationIndex)) => {
                Ok(Value::Int(local))
            }
            Some(naga::Binding::BuiltIn(naga::BuiltIn::LocalInvocationId)) => {
                Ok(vector([local % x, local / x % y, local / x / y]))
            }
            ref other => Err(format!("an argument bound to {other:?}")),
        }
    }
}
