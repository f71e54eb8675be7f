use neuron::axon::{RouteError, SpawnError};

use super::*;

fn route(method: Method, path: &str) -> Route {
    Route::signed(method, path, |_| async { Reply::json("{}") })
}

/// What the axon says to routes of these paths, all with one method.
fn refused(paths: &[&str]) -> Option<RouteError> {
    match spawn(config(paths.iter().map(|path| route(Method::POST, path)).collect())) {
        Ok(_) => None,
        Err(SpawnError::Route(error)) => Some(error),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn routes_that_cannot_be_told_apart_are_refused_and_never_panic() {
    let own = str::to_owned;
    let twice = |path| Some(RouteError::Twice { method: Method::POST, path: own(path) });
    assert_eq!(refused(&["/a", "/a"]), twice("/a"));
    assert_eq!(refused(&["/a/{x}", "/b", "/a/{x}"]), twice("/a/{x}"));
    let ambiguous = RouteError::Ambiguous { first: own("/a/{x}"), second: own("/a/{y}") };
    assert_eq!(refused(&["/a/{x}", "/a/{y}"]), Some(ambiguous));
    for path in [
        "", "a", "/a/", "//", "/a//b", "/{", "/{}", "/a{x}", "/{x}y", "/:x", "/*x", "/{*x}", "/a b",
        "/a%20b", "/?",
    ] {
        assert_eq!(refused(&[path]), Some(RouteError::Path { path: own(path) }), "{path}");
    }
    for paths in [&["/", "/a", "/{x}"][..], &["/a/{x}/b", "/a/{y}/c", "/a/b/{x}"], &["/a-b.c_d~1"]] {
        assert_eq!(refused(paths), None, "{paths:?}");
    }
    let method = Method::from_bytes(b"WEIGH").unwrap();
    let error = spawn(config(vec![route(method, "/a")])).unwrap_err();
    assert!(matches!(error, SpawnError::Route(RouteError::Method { .. })), "{error}");
    let both = vec![route(Method::GET, "/a"), route(Method::POST, "/a")];
    assert!(spawn(config(both)).is_ok());
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let first = start(config(vec![echo()]));
    let error = spawn(Config { listen: first.address(), ..config(vec![echo()]) }).unwrap_err();
    assert!(error.to_string().starts_with(&format!("cannot listen on {}", first.address())), "{error}");
}
