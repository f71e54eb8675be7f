//! What an epoch is computed from, and the checks that let the rest of it trust its input.

use primitives::BlockNumber;
use thiserror::Error;

/// The most neurons that an epoch takes: the weights of a full row, 32,768 times 65,535, still sum below 2³¹,
/// the bound of the chain's `I32F32`.
pub const MAX_NEURONS: usize = 32_768;
/// The parts that make one whole of [`EpochInput::bonds_moving_average`]. Source: the chain's epoch.
pub(super) const MOVING_AVERAGE_ONE: u64 = 1_000_000;
/// The largest whole number in `I64F64`, in which the chain sums stake.
const STAKE_SUM_MAX: u64 = i64::MAX.unsigned_abs();

/// A sparse matrix as the chain stores it: per row (uid, value) with ascending uids.
pub(super) type Rows = [Vec<(u16, u16)>];

/// The state of one mechanism of a subnet before an epoch.
///
/// Every vector has [`n`](Self::n) entries, one per uid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochInput {
    /// Neurons in the subnet.
    pub n: u16,
    /// The block in which the epoch runs.
    pub current_block: BlockNumber,
    /// Blocks per epoch.
    pub tempo: u16,
    /// Blocks without an update after which a neuron counts as inactive.
    pub activity_cutoff_blocks: u64,
    /// The block of the last epoch; 0 where there was none.
    pub last_mechanism_step_block: BlockNumber,
    /// Block in which a uid last set or committed weights.
    pub last_update: Vec<BlockNumber>,
    /// Block in which a uid was registered.
    pub block_at_registration: Vec<BlockNumber>,
    /// Stake weight in the smallest unit: inherited alpha plus inherited root TAO times its weight.
    pub stake: Vec<u64>,
    /// Stake weight below which a neuron counts as without stake, unless it is the owner's.
    pub stake_threshold: u64,
    /// The uid of the subnet owner's hotkey.
    pub owner_uid: Option<u16>,
    /// The permits given by the last epoch.
    pub validator_permit: Vec<bool>,
    /// Validator permits to give.
    pub max_allowed_validators: u16,
    /// Weights as stored: row i holds (uid, weight) of validator i, uids ascending.
    pub weights: Vec<Vec<(u16, u16)>>,
    /// Bonds as stored by the last epoch, of the same shape.
    pub bonds: Vec<Vec<(u16, u16)>>,
    /// Share of stake that is a majority, of 65535.
    pub kappa: u16,
    /// How far weights above consensus are cut back for bonds, of 65535.
    pub bonds_penalty: u16,
    /// Weight of the old bonds in the moving average, of 1,000,000.
    pub bonds_moving_average: u64,
    /// Yuma3 (bonds per pair, stored as shares) instead of Yuma2 (bonds per column).
    pub yuma3: bool,
    /// Liquid alpha: the moving average's rate follows from consensus. Yuma2 ignores it.
    pub liquid_alpha: bool,
    /// The smallest rate of liquid alpha, of 65535.
    pub alpha_low: u16,
    /// The largest rate of liquid alpha, of 65535.
    pub alpha_high: u16,
    /// Steepness of liquid alpha's sigmoid, in hundredths.
    pub alpha_sigmoid_steepness: i16,
    /// Whether weights are committed and revealed.
    pub commit_reveal: bool,
    /// Per uid the block of its earliest unexpired commit; read only where `commit_reveal` is on.
    pub commit_blocks: Option<Vec<Option<BlockNumber>>>,
    /// What the epoch distributes, in the smallest unit of alpha.
    pub rao_emission: u64,
}

/// Why an epoch cannot be computed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EpochError {
    /// There are more neurons than the chain's arithmetic carries.
    #[error("epoch of {found} neurons, at most {MAX_NEURONS} are possible")]
    TooManyNeurons {
        /// Neurons in the input.
        found: usize,
    },
    /// A vector doesn't have one entry per neuron.
    #[error("{field} has {found} entries for {n} neurons")]
    Length {
        /// The input's field.
        field: &'static str,
        /// Its entries.
        found: usize,
        /// Neurons.
        n: usize,
    },
    /// A uid is not in the subnet.
    #[error("{field} names uid {uid}, the subnet has {n} neurons")]
    UnknownUid {
        /// The input's field.
        field: &'static str,
        /// The uid found.
        uid: u16,
        /// Neurons.
        n: usize,
    },
    /// A row's uid is not in the subnet.
    #[error("{field} of uid {row} names uid {uid}, the subnet has {n} neurons")]
    UnknownColumn {
        /// The input's field.
        field: &'static str,
        /// The uid whose row it is.
        row: usize,
        /// The uid found.
        uid: u16,
        /// Neurons.
        n: usize,
    },
    /// A row's uids are not strictly ascending.
    #[error("{field} of uid {row} name uid {uid} after uid {before}, uids must ascend without repetition")]
    Unsorted {
        /// The input's field.
        field: &'static str,
        /// The uid whose row it is.
        row: usize,
        /// The uid out of order.
        uid: u16,
        /// The uid in front of it.
        before: u16,
    },
    /// All stake together exceeds what the chain can sum.
    #[error("stake sums to {found}, at most {STAKE_SUM_MAX} is possible")]
    StakeSum {
        /// The sum.
        found: u128,
    },
    /// The moving average's weight is above one.
    #[error("bonds_moving_average is {found}, at most {MOVING_AVERAGE_ONE} is possible")]
    MovingAverage {
        /// The value found.
        found: u64,
    },
}

impl EpochInput {
    /// Checks everything that the computation relies on.
    pub(super) fn check(&self) -> Result<(), EpochError> {
        let n = usize::from(self.n);
        if n > MAX_NEURONS {
            return Err(EpochError::TooManyNeurons { found: n });
        }
        let lengths = [
            ("last_update", self.last_update.len()),
            ("block_at_registration", self.block_at_registration.len()),
            ("stake", self.stake.len()),
            ("validator_permit", self.validator_permit.len()),
            ("weights", self.weights.len()),
            ("bonds", self.bonds.len()),
            ("commit_blocks", self.commit_blocks.as_ref().map_or(n, Vec::len)),
        ];
        for (field, found) in lengths {
            if found != n {
                return Err(EpochError::Length { field, found, n });
            }
        }
        if let Some(uid) = self.owner_uid
            && usize::from(uid) >= n
        {
            return Err(EpochError::UnknownUid { field: "owner_uid", uid, n });
        }
        check_rows("weights", &self.weights, n)?;
        check_rows("bonds", &self.bonds, n)?;
        let found = self.stake.iter().map(|&stake| u128::from(stake)).sum();
        if found > u128::from(STAKE_SUM_MAX) {
            return Err(EpochError::StakeSum { found });
        }
        if self.bonds_moving_average > MOVING_AVERAGE_ONE {
            return Err(EpochError::MovingAverage { found: self.bonds_moving_average });
        }
        Ok(())
    }
}

fn check_rows(field: &'static str, rows: &Rows, n: usize) -> Result<(), EpochError> {
    for (row, entries) in rows.iter().enumerate() {
        let mut before = None;
        for &(uid, _) in entries {
            if usize::from(uid) >= n {
                return Err(EpochError::UnknownColumn { field, row, uid, n });
            }
            match before {
                Some(before) if before >= uid => {
                    return Err(EpochError::Unsorted { field, row, uid, before });
                }
                _ => before = Some(uid),
            }
        }
    }
    Ok(())
}
