//! Examines one hostile submission in a child process behind walls, says whose fault a failure is, and makes receipts.
//!
//! An [`Examination`] is a job; an [`Evaluator`] runs it. [`Inline`] does so in this process, for the simulator and
//! for tests. [`Supervisor`] starts the same binary again for each examination: the child limits itself before it
//! reads a byte of the [request](frame), gives back exactly one result, and is ended with all that it started when
//! its time is over. What ended it decides the [`Class`] of a failure, and only a failure that shows twice on a
//! quiet worker can cost a miner. Both evaluators give the same result to the last bit wherever an examination
//! comes to its end, so a [`Receipt`] doesn't say which one it was; what a run cost stands beside it, in a
//! [`RunRecord`]. [`queue`] takes examinations under leases and commits what came of them.
//!
//! What the walls are not: the child keeps the user and the namespaces of its supervisor, and the filter of system
//! calls refuses only new processes and programs. It holds three pipes and may open nothing further, so that neither
//! files nor sockets are to be had; a submission that takes the child over completely could still close a pipe and
//! use its number.
//!
//! Start with [`Evaluator`], then read the supervisor, then the child. The supervisor and its child need Linux.

#[cfg(target_os = "linux")]
mod child;
mod examination;
mod failure;
#[cfg(target_os = "linux")]
mod filter;
pub mod frame;
#[cfg(target_os = "linux")]
mod process;
pub mod queue;
mod receipt;
mod record;
#[cfg(target_os = "linux")]
mod supervisor;
mod walls;

#[cfg(target_os = "linux")]
pub use child::{ChildExit, child};
pub use examination::{Evaluation, Evaluator, Examination, Inline, Shelves};
pub use failure::{Class, Code, Failure};
pub use receipt::{RECEIPT_VERSION, Receipt, ReceiptError, SignedReceipt};
pub use record::{Ending, Kill, RunRecord};
#[cfg(target_os = "linux")]
pub use supervisor::{Config, Supervisor, SupervisorError};
pub use walls::Walls;
