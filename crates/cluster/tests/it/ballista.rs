//! The plan on a cluster: a scheduler and two executors on ports of this machine, each with a share of the work.

use std::{
    path::Path,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use ballista_core::{
    RuntimeProducer,
    registry::BallistaFunctionRegistry,
    serde::{BallistaCodec, protobuf::scheduler_grpc_client::SchedulerGrpcClient},
    utils::default_config_producer,
};
use ballista_executor::new_standalone_executor_from_builder;
use ballista_scheduler::standalone::new_standalone_scheduler;
use cluster::{ClusterError, Engine, Keys};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use tokio::runtime::Runtime;

use crate::world::{by_index, is_telling, world};

const EXECUTORS: usize = 2;
/// An executor's first task waits so long for the other's.
const MEETING_MAX: Duration = Duration::from_secs(60);

/// A scheduler and its executors, which stop when this is dropped.
struct Cluster {
    _runtime: Runtime,
    url: String,
    tasks: [Arc<AtomicUsize>; EXECUTORS],
}

impl Cluster {
    fn start() -> Self {
        // Executors leave their parts of answers in folders of their own, and those behind.
        tempfile::env::override_temp_dir(Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap();
        let runtime = Runtime::new().unwrap();
        let meeting = Arc::new((Mutex::new(0), Condvar::new()));
        let tasks = [(); EXECUTORS].map(|()| Arc::new(AtomicUsize::new(0)));
        let port = runtime.block_on(async {
            let port = new_standalone_scheduler().await.unwrap().port();
            for tasks in &tasks {
                let scheduler = SchedulerGrpcClient::connect(format!("http://localhost:{port}"));
                new_standalone_executor_from_builder(
                    scheduler.await.unwrap(),
                    1,
                    Arc::new(default_config_producer),
                    counting(Arc::clone(tasks), Arc::clone(&meeting)),
                    BallistaCodec::default(),
                    BallistaFunctionRegistry::default(),
                )
                .await
                .unwrap();
            }
            port
        });
        Self { _runtime: runtime, url: format!("df://localhost:{port}"), tasks }
    }
}

/// What an executor asks for at the beginning of each task. The first of each waits for the other's, so that neither does
/// all the work before the other has begun.
fn counting(tasks: Arc<AtomicUsize>, meeting: Arc<(Mutex<usize>, Condvar)>) -> RuntimeProducer {
    Arc::new(move |_| {
        if tasks.fetch_add(1, Ordering::Relaxed) == 0 {
            let (here, arrived) = &*meeting;
            let mut here = here.lock().unwrap();
            *here += 1;
            arrived.notify_all();
            // Other work of this thread goes on in another.
            let (_here, waited) = tokio::task::block_in_place(|| {
                arrived.wait_timeout_while(here, MEETING_MAX, |here| *here < EXECUTORS).unwrap()
            });
            assert!(!waited.timed_out(), "an executor has work and the other has none");
        }
        RuntimeEnvBuilder::new().build_arc()
    })
}

#[test]
fn two_executors_find_what_one_process_finds() {
    let cluster = Cluster::start();
    let world = world(5, 8, 400);
    let folder = tempfile::tempdir().unwrap();
    let mut keys = Keys::create(folder.path()).unwrap();
    for shard in &world {
        keys.add(shard).unwrap();
    }
    let expect = by_index(&world);
    is_telling(&expect, 8 * 400);
    let embedded = Engine::Embedded { threads: 2, memory_max_bytes: 64 << 20 };
    assert_eq!(keys.duplicates(&embedded).unwrap(), expect);
    let remote = Engine::Ballista { url: cluster.url.clone() };
    assert_eq!(keys.duplicates(&remote).unwrap(), expect);
    let tasks = cluster.tasks.each_ref().map(|tasks| tasks.load(Ordering::Relaxed));
    println!("{} duplicates of {} documents; tasks of each executor: {tasks:?}", expect.len(), 8 * 400);
    assert!(tasks.iter().all(|tasks| *tasks > 0), "{tasks:?}");
}

#[test]
fn a_cluster_that_is_not_there_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut keys = Keys::create(folder.path()).unwrap();
    keys.add(&world(1, 1, 4)[0]).unwrap();
    // Its port was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for url in [format!("df://127.0.0.1:{port}"), "nowhere".to_owned()] {
        let failed = keys.duplicates(&Engine::Ballista { url: url.clone() });
        let Err(ClusterError::Plan { place, .. }) = failed else { panic!("{failed:?}") };
        assert!(place.contains(&url), "{place}");
    }
}
