//! PostgreSQL, MySQL (or MariaDB) and Redis, as the tests of pools know them.

use std::net::SocketAddr;
use std::time::Duration;

use mysql::prelude::Queryable;
use postgres::fallible_iterator::FallibleIterator;
use site::databases::{self, Mysql, Postgres, Redis};

use crate::pooled::Database;

/// Gives the database to `test`, unless its server is not there.
pub(crate) fn with<D>(server: &str, database: impl FnOnce(&str) -> D, test: impl FnOnce(&D)) {
    match databases::address(server) {
        Some(address) => test(&database(&address)),
        None => eprintln!("skipped: no {server} runs here, services/up starts one"),
    }
}

pub(crate) fn postgres(address: &str) -> Postgres {
    let database = Postgres(address.parse().unwrap());
    let mut client = database.0.connect(postgres::NoTls).unwrap();
    // Tests run at the same time, and the statement is no good at that.
    let _ = client.batch_execute("CREATE TABLE IF NOT EXISTS changes (name text)");
    database
}

pub(crate) fn mysql(address: &str) -> Mysql {
    let database = Mysql(mysql::Opts::from_url(address).unwrap());
    let mut connection = mysql::Conn::new(database.0.clone()).unwrap();
    let table = "CREATE TABLE IF NOT EXISTS changes (name text) ENGINE=InnoDB";
    connection.query_drop(table).unwrap();
    database
}

pub(crate) fn redis(address: &str) -> Redis {
    Redis(redis::Client::open(address).unwrap())
}

/// Asks until it is so, for some seconds at most.
fn until(mut is_so: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the server does not end a connection");
}

impl Database for Postgres {
    fn id(client: &mut postgres::Client) -> String {
        let row = client.query_one("SELECT pg_backend_pid()", &[]).unwrap();
        row.get::<_, i32>(0).to_string()
    }

    fn wait(client: &mut postgres::Client, time: Duration) {
        let _ = client.query("SELECT pg_sleep($1)", &[&time.as_secs_f64()]);
    }

    fn begin(client: &mut postgres::Client) {
        client
            .batch_execute("BEGIN; INSERT INTO changes VALUES ('of nobody else')")
            .unwrap();
    }

    fn sees(client: &mut postgres::Client) -> bool {
        let row = client.query_one("SELECT count(*) FROM changes", &[]);
        row.unwrap().get::<_, i64>(0) > 0
    }

    fn panic_in_a_query(client: &mut postgres::Client) {
        let numbers = "SELECT generate_series(1, 100000)";
        let mut rows = client.query_raw::<_, i32, _>(numbers, []).unwrap();
        assert!(rows.next().unwrap().is_some());
        panic!("on purpose");
    }

    fn echo(client: &mut postgres::Client, number: i64) -> i64 {
        client
            .query_one("SELECT $1::int8", &[&number])
            .unwrap()
            .get(0)
    }

    fn end(client: &mut postgres::Client, id: &str) {
        client
            .batch_execute(&format!("SELECT pg_terminate_backend({id})"))
            .unwrap();
        let left = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {id}");
        until(|| client.query_one(&left, &[]).unwrap().get::<_, i64>(0) == 0);
    }

    fn at(address: SocketAddr) -> Postgres {
        let mut config = postgres::Config::new();
        config
            .host(&address.ip().to_string())
            .port(address.port())
            .user("green");
        Postgres(config)
    }
}

impl Database for Mysql {
    fn id(connection: &mut mysql::Conn) -> String {
        connection.connection_id().to_string()
    }

    fn wait(connection: &mut mysql::Conn, time: Duration) {
        let _ = connection.query_drop(format!("SELECT SLEEP({})", time.as_secs_f64()));
    }

    fn begin(connection: &mut mysql::Conn) {
        connection.query_drop("START TRANSACTION").unwrap();
        let change = "INSERT INTO changes VALUES ('of nobody else')";
        connection.query_drop(change).unwrap();
    }

    fn sees(connection: &mut mysql::Conn) -> bool {
        let count: Option<u64> = connection
            .query_first("SELECT count(*) FROM changes")
            .unwrap();
        count > Some(0)
    }

    fn panic_in_a_query(connection: &mut mysql::Conn) {
        let numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) SELECT i FROM n";
        let end = connection.query_map(numbers, |_: i64| -> i64 { panic!("on purpose") });
        unreachable!("{end:?}");
    }

    fn echo(connection: &mut mysql::Conn, number: i64) -> i64 {
        let said = connection.query_first(format!("SELECT {number}"));
        said.unwrap().unwrap()
    }

    fn end(connection: &mut mysql::Conn, id: &str) {
        connection.query_drop(format!("KILL {id}")).unwrap();
        let left = format!("SELECT count(*) FROM information_schema.processlist WHERE id = {id}");
        until(|| connection.query_first(&left).unwrap() == Some(0));
    }

    fn at(address: SocketAddr) -> Mysql {
        let opts = mysql::OptsBuilder::new()
            .ip_or_hostname(Some(address.ip().to_string()))
            .tcp_port(address.port())
            .prefer_socket(false);
        Mysql(opts.into())
    }
}

impl Database for Redis {
    fn id(connection: &mut redis::Connection) -> String {
        let id: u64 = redis::cmd("CLIENT").arg("ID").query(connection).unwrap();
        id.to_string()
    }

    fn wait(connection: &mut redis::Connection, time: Duration) {
        let _ = redis::cmd("BLPOP")
            .arg(format!("empty {}", std::process::id()))
            .arg(time.as_secs_f64())
            .exec(connection);
    }

    fn begin(connection: &mut redis::Connection) {
        redis::cmd("MULTI").exec(connection).unwrap();
    }

    /// In a transaction commands are queued.
    fn sees(connection: &mut redis::Connection) -> bool {
        let answer: String = redis::cmd("PING").query(connection).unwrap();
        answer == "QUEUED"
    }

    fn panic_in_a_query(connection: &mut redis::Connection) {
        redis::cmd("DISCARD").exec(connection).unwrap();
        // As many as the cleaning up asks for, and more.
        for question in ["one", "two", "three", "four"] {
            let asked = redis::cmd("ECHO").arg(question).get_packed_command();
            connection.send_packed_command(&asked).unwrap();
        }
        panic!("on purpose");
    }

    fn echo(connection: &mut redis::Connection, number: i64) -> i64 {
        let said = redis::cmd("ECHO").arg(number).query(connection);
        said.unwrap()
    }

    fn end(connection: &mut redis::Connection, id: &str) {
        redis::cmd("CLIENT")
            .arg("KILL")
            .arg("ID")
            .arg(id)
            .exec(connection)
            .unwrap();
    }

    fn at(address: SocketAddr) -> Redis {
        Redis(redis::Client::open(format!("redis://{address}/")).unwrap())
    }
}
