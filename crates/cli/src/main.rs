//! `weigh`: one binary for miners, validators, subnet owners and clients.
//!
//! Arguments become one typed command, and that one call into the house. Standard output is data, standard error
//! is talk. Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 not found or
//! lacking evidence, 4 key or password, 5 network unreachable, 6 refused by the chain, 9 outcome unknown,
//! 10 done already, 130 ended by Ctrl-C.

mod config;
mod cpu;
mod data;
mod doctor;
mod epoch_file;
mod genesis;
mod lm;
mod manual;
mod mechanism;
mod mend;
mod nearest;
mod network;
mod rehearsal;
mod score;
mod serve;
mod show;
mod source;
mod storm;
mod talk;
mod up;
mod wallet;

use std::{fmt, path::PathBuf, process::ExitCode};

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use config::{Configuration, environment::Environment};
use mend::Whereabouts;
use miette::{Diagnostic, Report};
use thiserror::Error;

/// The exit code of a run that was ended by Ctrl-C.
const INTERRUPTED: u8 = 130;

/// The weigh house of machine intelligence: a whole Bittensor subnet on your machine.
#[derive(Parser)]
#[command(name = "weigh", version, disable_help_subcommand = true)]
struct Arguments {
    #[command(flatten)]
    everywhere: config::Everywhere,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
#[expect(clippy::large_enum_variant, reason = "there is one per process")]
enum Command {
    #[command(flatten)]
    Configured(Configured),
    #[command(flatten)]
    Unconfigured(Unconfigured),
}

/// Commands that only a right configuration starts.
#[derive(Subcommand)]
enum Configured {
    /// Run a whole subnet on this machine: chain, validators, honest and dishonest miners, website. The default.
    Up(up::UpArguments),
    /// End the subnet that `weigh up` runs; its state is kept.
    Down(up::HouseArguments),
    /// Say what the local subnet is and whether it is being run.
    Status(up::HouseArguments),
    /// Remove the local subnet's state, so that the next one begins anew.
    Reset(up::HouseArguments),
    /// Show the local subnet's miners, the best first.
    Leaderboard(up::HouseArguments),
    /// Say why: this score, this weight, this pay, this fault.
    Explain(up::ExplainArguments),
    /// The local subnet's examinations: what waits, what is under way, what was given up.
    #[command(subcommand)]
    Queue(up::QueueCommand),
    /// A chain by itself: served to clients of the real one, stepped and set, replayed, or its rules alone.
    #[command(subcommand)]
    Chain(ChainCommand),
    /// Simulations.
    #[command(subcommand)]
    Sim(SimCommand),
    /// Corpora: make shards of web archives and folders, look at them, check them.
    #[command(subcommand)]
    Data(data::DataCommand),
    /// Submissions: examine one's own as a validator does, and get the receipt that it signs.
    #[command(subcommand)]
    Score(score::ScoreCommand),
    /// Language models: trained, measured, asked for text and vectors, written anew; the same bits everywhere.
    #[command(subcommand)]
    Lm(lm::LmCommand),
    /// Keys and key files, as btcli keeps them.
    #[command(subcommand)]
    Wallet(wallet::WalletCommand),
    /// Subnets of a chain.
    #[command(subcommand)]
    Subnet(network::SubnetCommand),
    /// Register the wallet's hotkey on a subnet, for the price of the moment.
    Register(network::RegisterArguments),
    /// Stake on a chain.
    #[command(subcommand)]
    Stake(network::StakeCommand),
    /// Weights on a chain.
    #[command(subcommand)]
    Weights(network::WeightsCommand),
    /// Where neurons can be reached, as a chain tells it.
    #[command(subcommand)]
    Axon(network::AxonCommand),
    /// Public commitments on a chain.
    #[command(subcommand)]
    Commit(network::CommitCommand),
    /// Mechanisms: what is paid for, and which attacks must not pay.
    #[command(subcommand)]
    Mechanism(mechanism::MechanismCommand),
    /// Configuration: what is set, and where.
    #[command(subcommand)]
    Config(config::ConfigCommand),
}

/// Commands that work whatever is configured.
#[derive(Subcommand)]
enum Unconfigured {
    /// Look at everything that a local subnet needs, and say what mends what is wrong.
    Doctor(doctor::DoctorArguments),
    /// Print what a shell reads to complete commands and arguments.
    Completions(manual::CompletionsArguments),
    /// Print the manual's first page, or write a page per command.
    Man(manual::ManArguments),
}

#[derive(Subcommand)]
enum ChainCommand {
    /// Compute Yuma epochs from a JSON file and print their outputs as a list.
    Epoch {
        /// A file with `cases` of `epochs`, or a bare list of `{"input": …}`.
        file: PathBuf,
    },
    /// Run a local chain for btcli, the SDKs and other clients of the real one.
    Serve(serve::ServeArguments),
    /// Carry out all blocks of the local subnet's chain again, check every digest and the books, and show who has what.
    Replay(up::HouseArguments),
    #[command(flatten)]
    Develop(network::DevelopCommand),
}

#[derive(Subcommand)]
enum SimCommand {
    /// Run a scenario that ships with this program.
    #[command(subcommand)]
    Run(RunCommand),
}

#[derive(Subcommand)]
enum RunCommand {
    /// Many seeds of a small subnet in bad weather: messages are lost, doubled and late, parties crash; every invariant
    /// is checked at every block.
    Storm(storm::StormArguments),
    /// A whole dataset subnet on real text in virtual time: the same seed gives the same bits.
    Dataset(rehearsal::RehearsalArguments),
}

/// A command failed.
#[derive(Debug, Error, Diagnostic)]
enum Failure {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Up(#[from] up::UpError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Data(#[from] data::DataError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Score(#[from] score::ScoreError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Lm(#[from] lm::LmError),
    #[error(transparent)]
    Epoch(#[from] epoch_file::EpochFileError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Control(#[from] up::ControlError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Queue(#[from] up::QueueError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Rehearsal(#[from] rehearsal::RehearsalError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Storm(#[from] storm::StormError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Serve(#[from] serve::ServeError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Network(#[from] network::NetworkError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Mechanism(#[from] mechanism::MechanismError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Manual(#[from] manual::ManualError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Config(#[from] config::ConfigError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Doctor(#[from] doctor::DoctorError),
    #[error("could not write to standard output: {0}")]
    Output(#[from] std::io::Error),
}

impl Failure {
    fn exit_code(&self) -> u8 {
        match self {
            Failure::Up(error) => error.exit_code(),
            Failure::Control(error) => error.exit_code(),
            Failure::Queue(error) => error.exit_code(),
            Failure::Rehearsal(error) => error.exit_code(),
            Failure::Network(error) => error.exit_code(),
            Failure::Data(error) => error.exit_code(),
            Failure::Score(error) => error.exit_code(),
            Failure::Lm(error) => error.exit_code(),
            Failure::Mechanism(error) => error.exit_code(),
            Failure::Config(error) => error.exit_code(),
            Failure::Serve(error) => error.exit_code(),
            Failure::Doctor(_)
            | Failure::Manual(_)
            | Failure::Epoch(_)
            | Failure::Output(_)
            | Failure::Storm(_) => 1,
        }
    }
}

/// A failure with commands that mend it for the subnet that was meant.
#[derive(Debug)]
struct Told {
    failure: Failure,
    help: Option<String>,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.failure.fmt(f)
    }
}

impl std::error::Error for Told {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.failure.source()
    }
}

impl Diagnostic for Told {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }
}

/// What the supervisor of examinations says first to the process that it starts. It is no command: nobody else has a use for
/// it, and no shell should offer it.
pub(crate) const CHILD: &str = "worker-child";

fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    {
        let mut words = std::env::args_os().skip(1);
        if words.next().is_some_and(|word| word == CHILD) {
            let walls = words.next().unwrap_or_default();
            return worker::child(&walls.to_string_lossy(), mechanisms::catalogue());
        }
    }
    let variables = Environment::of_process();
    let words = std::env::args_os().filter_map(|word| word.into_string().ok());
    let color = config::Color::before_parsing(words, &variables);
    let matches = Arguments::command().color(color.choice()).get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let place = Whereabouts::of(&matches);
    let done = run(arguments, color, &variables, &place);
    match done {
        Ok(code) => code,
        Err(failure) if is_reader_gone(&failure) => ExitCode::SUCCESS,
        Err(failure) => {
            let code = failure.exit_code();
            let help = failure.help().map(|help| place.in_commands(&help.to_string()));
            let report = Report::new(Told { failure, help });
            #[expect(clippy::print_stderr, reason = "the one place where a failure is told")]
            {
                eprintln!("{report:?}");
            }
            ExitCode::from(code)
        }
    }
}

/// Runs the command that was asked for, or `weigh up`; `color` is what the command line says.
fn run(
    arguments: Arguments,
    color: config::Color,
    variables: &Environment,
    place: &Whereabouts,
) -> Result<ExitCode, Failure> {
    let Arguments { everywhere, command } = arguments;
    let bare = || Command::Configured(Configured::Up(up::UpArguments::default()));
    let loaded = || Configuration::load(&everywhere, variables);
    let talk = talk::Talk { color, progress: true, remarks: !everywhere.is_quiet() };
    match command.unwrap_or_else(bare) {
        Command::Configured(command) => {
            // What is wrong with the configuration is told in colours that the flags ask for.
            let configuration = loaded().inspect_err(|_| talk::settle(talk))?;
            let (color, progress) = (configuration.color(), configuration.shows_progress());
            talk::settle(talk::Talk { color, progress, ..talk });
            run_configured(command, &configuration)
        }
        Command::Unconfigured(command) => {
            talk::settle(talk);
            match command {
                Unconfigured::Doctor(arguments) => Ok(doctor::run(arguments, loaded(), variables, place)?),
                Unconfigured::Completions(arguments) => {
                    Ok(manual::completions(Arguments::command(), &arguments)?)
                }
                Unconfigured::Man(arguments) => Ok(manual::man(Arguments::command(), &arguments)?),
            }
        }
    }
}

fn run_configured(command: Configured, configuration: &Configuration) -> Result<ExitCode, Failure> {
    match command {
        Configured::Up(mut arguments) => {
            arguments.settle(configuration);
            Ok(up::run(&arguments)?)
        }
        Configured::Down(arguments) => Ok(up::down(&settled(arguments, configuration))?),
        Configured::Status(arguments) => Ok(up::status(&settled(arguments, configuration))?),
        Configured::Reset(arguments) => Ok(up::reset(&settled(arguments, configuration))?),
        Configured::Leaderboard(arguments) => Ok(up::leaderboard(&settled(arguments, configuration))?),
        Configured::Explain(mut arguments) => {
            arguments.settle(configuration);
            Ok(up::explain(&arguments)?)
        }
        Configured::Queue(mut command) => {
            command.settle(configuration);
            Ok(up::queue(&command)?)
        }
        Configured::Chain(ChainCommand::Epoch { file }) => print_epochs(&file),
        Configured::Chain(ChainCommand::Serve(arguments)) => Ok(serve::run(&arguments)?),
        Configured::Chain(ChainCommand::Replay(arguments)) => {
            Ok(up::replay(&settled(arguments, configuration))?)
        }
        Configured::Chain(ChainCommand::Develop(command)) => done(network::develop(&command)),
        Configured::Sim(SimCommand::Run(RunCommand::Storm(arguments))) => {
            storm::run(&arguments)?;
            Ok(ExitCode::SUCCESS)
        }
        Configured::Sim(SimCommand::Run(RunCommand::Dataset(arguments))) => Ok(rehearsal::run(&arguments)?),
        Configured::Data(command) => Ok(data::run(&command)?),
        Configured::Score(command) => Ok(score::run(&command)?),
        Configured::Lm(command) => Ok(lm::run(&command)?),
        Configured::Mechanism(command) => Ok(mechanism::run(&command)?),
        Configured::Config(command) => Ok(config::run(&command, configuration)?),
        Configured::Wallet(command) => done(wallet::run(&command)),
        Configured::Subnet(command) => done(network::subnet(&command)),
        Configured::Register(arguments) => done(network::register(&arguments)),
        Configured::Stake(command) => done(network::stake(&command)),
        Configured::Weights(command) => done(network::weights(&command)),
        Configured::Axon(command) => done(network::axon(&command)),
        Configured::Commit(command) => done(network::commit(&command)),
    }
}

fn done(result: Result<(), network::NetworkError>) -> Result<ExitCode, Failure> {
    Ok(result.map(|()| ExitCode::SUCCESS)?)
}

fn settled(mut arguments: up::HouseArguments, configuration: &Configuration) -> up::HouseArguments {
    arguments.settle(configuration);
    arguments
}

/// Whether the failure is that whoever read standard output has seen enough, as `head` has.
fn is_reader_gone(failure: &Failure) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(failure);
    while let Some(error) = cause {
        let io = error.downcast_ref::<std::io::Error>();
        if io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe) {
            return true;
        }
        cause = error.source();
    }
    false
}

fn print_epochs(file: &std::path::Path) -> Result<ExitCode, Failure> {
    use std::io::Write as _;
    let outputs = epoch_file::run(file)?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    serde_json::to_writer(&mut out, &outputs).map_err(std::io::Error::from)?;
    writeln!(out)?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        Arguments::command().debug_assert();
    }
}
