//! Batches into tables of a PostgreSQL, by `COPY`. How far a stream has come is a row of the same database, written in the
//! transaction of the rows, so that a batch that comes again is known and left out.

use super::{Batch, Letter, Target, Undelivered};
use crate::batch::TableLayout;
use crate::core::id::check_identifier;
use crate::core::schema::{DataType, Field};
use crate::sink::copy::CopyEncoder;
use crate::sink::{Columns, Encoder as _};
use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgDatabaseError, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::timeout;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for a batch to be taken: more is a server that hangs, or a table that somebody has locked.
const BATCH_TIMEOUT: Duration = Duration::from_secs(30);
/// The table that says how far streams have come.
const POSITIONS: &str = "telemill_positions";
/// What PostgreSQL keeps of a name.
const MAX_NAME_BYTES: usize = 63;

/// A PostgreSQL. A table is a table, made where it is missing; columns that are new are added. Connections are not encrypted.
///
/// Rows and position are committed together: what arrived comes once, whatever is killed. A batch that the server can't take
/// as it is (a value that the column does not hold, a constraint of somebody's) goes to the dead letters; everything else
/// is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostgresSink {
    /// Where it is, such as `postgres://USER@localhost:5432/DATABASE`, without a password; `?host=/FOLDER` for a socket.
    pub url: String,
    /// The environment variable that holds the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_env: Option<String>,
    /// The schema of the tables, made where it is missing. Default `public`.
    #[serde(default = "default_schema")]
    pub schema: String,
    /// What the names of tables begin with; the table's name follows.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub table_prefix: String,
}

fn default_schema() -> String {
    "public".to_owned()
}

impl PostgresSink {
    /// What can't be used of it.
    pub(super) fn check(&self) -> Result<(), String> {
        self.options().map(|_| ())
    }

    /// Whether it is reached by a socket of the file system, which may take the host's user for somebody who may do more.
    pub(super) fn names_files(&self) -> bool {
        self.options().is_ok_and(|options| options.get_socket().is_some() || options.get_host().starts_with('/'))
    }

    pub(super) fn open(&self, name: &str, runtime: &Handle) -> Result<Box<dyn Target>, String> {
        let mut options = self.options()?;
        if let Some(variable) = &self.password_env {
            let password = std::env::var(variable).map_err(|_| format!("the variable {variable} is not set"))?;
            options = options.password(&password);
        }
        let (sink, sink_name, runtime) = (self.clone(), name.to_owned(), runtime.clone());
        Ok(Box::new(Postgres { sink, sink_name, options, runtime, connection: None, known: BTreeMap::new() }))
    }

    fn options(&self) -> Result<PgConnectOptions, String> {
        check_identifier("schema", &self.schema).map_err(|error| error.to_string())?;
        if !self.table_prefix.is_empty() {
            check_identifier("table prefix", &self.table_prefix).map_err(|error| error.to_string())?;
        }
        let (scheme, rest) = self.url.split_once("://").unwrap_or_default();
        if !matches!(scheme, "postgres" | "postgresql") {
            return Err("url: write postgres://USER@HOST:PORT/DATABASE".to_owned());
        }
        let (before_query, query) = rest.split_once('?').unwrap_or((rest, ""));
        let user = before_query.rsplit_once('@').map_or("", |(user, _)| user);
        if user.contains(':') || query.split('&').any(|pair| pair.starts_with("password=")) {
            return Err("url: name a variable in password_env instead of a password, which others can read".to_owned());
        }
        let options: PgConnectOptions = self.url.parse().map_err(|error: sqlx::Error| format!("url: {error}"))?;
        if !matches!(options.get_ssl_mode(), PgSslMode::Disable | PgSslMode::Allow | PgSslMode::Prefer) {
            return Err("url: connections are not encrypted: use a server of this machine, or a tunnel".to_owned());
        }
        Ok(options.application_name("telemill").disable_statement_logging())
    }

    fn table_name(&self, table: &str) -> Result<String, Failure> {
        let name = format!("{}{table}", self.table_prefix);
        if name.len() > MAX_NAME_BYTES {
            return Err(Failure::Later(format!("{name}: names of tables have at most {MAX_NAME_BYTES} bytes")));
        }
        Ok(name)
    }
}

struct Postgres {
    sink: PostgresSink,
    /// The sink's name, which positions are kept under.
    sink_name: String,
    options: PgConnectOptions,
    runtime: Handle,
    /// None before the first batch, and after a failure.
    connection: Option<PgConnection>,
    /// Tables that are there, with how many columns.
    known: BTreeMap<String, usize>,
}

/// Why a batch is not in the database.
enum Failure {
    /// The server, the connection, or what somebody can mend there.
    Later(String),
    /// The rows themselves.
    Rows { reason: String, text: Vec<u8> },
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Later(told(&error))
    }
}

impl Target for Postgres {
    fn deliver(&mut self, batch: &Batch<'_>) -> Result<(), Undelivered> {
        let runtime = self.runtime.clone();
        runtime.block_on(in_time(self.put(batch)))
    }

    fn send_again(&mut self, letter: &Letter<'_>) -> Result<(), Undelivered> {
        let runtime = self.runtime.clone();
        runtime.block_on(in_time(self.put_again(letter)))
    }
}

/// What comes of putting rows somewhere, or of waiting for it for too long.
async fn in_time(put: impl Future<Output = Result<(), Failure>>) -> Result<(), Undelivered> {
    let late = || Failure::Later(format!("no answer within {} s", BATCH_TIMEOUT.as_secs()));
    let put = timeout(BATCH_TIMEOUT, put).await.map_err(|_| late()).flatten();
    put.map_err(|failure| match failure {
        Failure::Later(reason) => Undelivered::Later(reason),
        Failure::Rows { reason, text } => Undelivered::Never { reason, body: text },
    })
}

impl Postgres {
    /// Puts what is not there yet of a batch into its table. The connection is kept only where all went well.
    async fn put(&mut self, batch: &Batch<'_>) -> Result<(), Failure> {
        let mut connection = self.connected().await?;
        let table = self.prepared(&mut connection, batch.layout).await?;
        let positions = quoted(&self.sink.schema, POSITIONS);
        let mut tx = connection.begin().await?;
        // Held until the end: a transaction of a process that was killed may still be on its way, and is waited for here.
        let claim = format!("INSERT INTO {positions} VALUES ($1, $2, 0, 0) ON CONFLICT DO NOTHING");
        sqlx::query(AssertSqlSafe(claim)).bind(batch.stream.as_str()).bind(&self.sink_name).execute(&mut *tx).await?;
        let look =
            format!("SELECT commit_number, row_count FROM {positions} WHERE stream = $1 AND sink = $2 FOR UPDATE");
        let row = sqlx::query(AssertSqlSafe(look))
            .bind(batch.stream.as_str())
            .bind(&self.sink_name)
            .fetch_one(&mut *tx)
            .await?;
        let (commit, rows): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        let there = already(batch, (commit.unsigned_abs(), rows.unsigned_abs()));
        let fresh = batch.rows.slice(there, batch.rows.num_rows() - there);
        if fresh.num_rows() > 0 {
            let mut text = Vec::new();
            let encoded = CopyEncoder::new(Columns::all(&batch.layout.schema)).encode(&fresh, &mut text);
            encoded.map_err(|error| Failure::Rows { reason: error.to_string(), text: Vec::new() })?;
            copy(&mut tx, &table, &batch.layout.table.fields, text).await?;
            let advance =
                format!("UPDATE {positions} SET commit_number = $3, row_count = $4 WHERE stream = $1 AND sink = $2");
            sqlx::query(AssertSqlSafe(advance))
                .bind(batch.stream.as_str())
                .bind(&self.sink_name)
                .bind(i64::try_from(batch.commit).unwrap_or(i64::MAX))
                .bind(i64::try_from(batch.end()).unwrap_or(i64::MAX))
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        self.connection = Some(connection);
        Ok(())
    }

    /// Puts rows that were given up into their table. They are none of those that the position counts.
    async fn put_again(&mut self, letter: &Letter<'_>) -> Result<(), Failure> {
        let layout =
            letter.layout.ok_or_else(|| Failure::Later(format!("there is no table {} any more", letter.table)))?;
        let mut connection = self.connected().await?;
        let table = self.prepared(&mut connection, layout).await?;
        // The table may have more columns by now, at their end.
        let line = letter.body.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let columns = line.iter().filter(|byte| **byte == b'\t').count() + 1;
        let fields = layout.table.fields.get(..columns).unwrap_or(&layout.table.fields);
        let mut tx = connection.begin().await?;
        copy(&mut tx, &table, fields, letter.body.to_vec()).await?;
        tx.commit().await?;
        self.connection = Some(connection);
        Ok(())
    }

    async fn connected(&mut self) -> Result<PgConnection, Failure> {
        if let Some(connection) = self.connection.take() {
            return Ok(connection);
        }
        // Another server may answer now, without the tables of the one before.
        self.known.clear();
        let late = || Failure::Later(format!("no connection within {} s", CONNECT_TIMEOUT.as_secs()));
        let mut connection = timeout(CONNECT_TIMEOUT, self.options.connect()).await.map_err(|_| late())??;
        let schema = &self.sink.schema;
        let found = sqlx::query("SELECT to_regnamespace($1) IS NULL").bind(schema).fetch_one(&mut connection).await?;
        if found.try_get(0)? {
            let create = format!("CREATE SCHEMA IF NOT EXISTS {}", name(schema));
            sqlx::query(AssertSqlSafe(create)).execute(&mut connection).await?;
        }
        if columns(&mut connection, &quoted(schema, POSITIONS)).await?.is_empty() {
            let create = format!(
                "CREATE TABLE IF NOT EXISTS {} (stream text, sink text, commit_number bigint NOT NULL, row_count bigint NOT NULL, PRIMARY KEY (stream, sink))",
                quoted(schema, POSITIONS)
            );
            sqlx::query(AssertSqlSafe(create)).execute(&mut connection).await?;
        }
        Ok(connection)
    }

    /// The table of a layout, made or widened where that is necessary; its name for statements.
    async fn prepared(&mut self, connection: &mut PgConnection, layout: &TableLayout) -> Result<String, Failure> {
        let table = self.sink.table_name(&layout.table.name)?;
        let (target, fields) = (quoted(&self.sink.schema, &table), &layout.table.fields);
        if self.known.get(&table) == Some(&fields.len()) {
            return Ok(target);
        }
        let there = columns(connection, &target).await?;
        let statement = if there.is_empty() {
            let column = |field: &Field| {
                let null = if field.nullable { "" } else { " NOT NULL" };
                format!("{} {}{null}", name(&field.name), type_of(field.data_type))
            };
            let columns = fields.iter().map(column).collect::<Vec<_>>().join(", ");
            Some(format!("CREATE TABLE IF NOT EXISTS {target} ({columns})"))
        } else {
            let missing = fields.iter().filter(|field| !there.contains(&field.name));
            // Rows that are there have no value for it.
            let add = missing
                .map(|field| format!("ADD COLUMN IF NOT EXISTS {} {}", name(&field.name), type_of(field.data_type)));
            let add = add.collect::<Vec<_>>();
            (!add.is_empty()).then(|| format!("ALTER TABLE {target} {}", add.join(", ")))
        };
        if let Some(statement) = statement {
            sqlx::query(AssertSqlSafe(statement)).execute(&mut *connection).await?;
        }
        self.known.insert(table, fields.len());
        Ok(target)
    }
}

/// Copies lines of text into these columns of a table.
async fn copy(connection: &mut PgConnection, table: &str, fields: &[Field], text: Vec<u8>) -> Result<(), Failure> {
    let names: Vec<_> = fields.iter().map(|field| name(&field.name)).collect();
    let statement = format!("COPY {table} ({}) FROM STDIN", names.join(", "));
    let copied = async {
        let mut copy = connection.copy_in_raw(&statement).await?;
        copy.send(text.as_slice()).await?;
        copy.finish().await
    };
    copied.await.map(drop).map_err(|error| refusal(&error, text))
}

/// How many rows of a batch are in the database already, by its position.
fn already(batch: &Batch<'_>, position: (u64, u64)) -> usize {
    let rows = batch.rows.num_rows();
    let (commit, there) = position;
    match commit.cmp(&batch.commit) {
        std::cmp::Ordering::Less => 0,
        std::cmp::Ordering::Greater => rows,
        std::cmp::Ordering::Equal => {
            usize::try_from(there.saturating_sub(batch.first)).map_or(rows, |there| there.min(rows))
        }
    }
}

/// The names of a table's columns; none where there is no table.
async fn columns(connection: &mut PgConnection, table: &str) -> Result<Vec<String>, sqlx::Error> {
    let query = "SELECT attname::text FROM pg_attribute
                 WHERE attrelid = to_regclass($1)::oid AND attnum > 0 AND NOT attisdropped";
    sqlx::query_scalar(query).bind(table).fetch_all(connection).await
}

/// The type that holds every value of a column.
fn type_of(data_type: DataType) -> &'static str {
    match data_type {
        DataType::Boolean => "boolean",
        DataType::Int32 => "integer",
        DataType::Int64 => "bigint",
        DataType::Float32 => "real",
        DataType::Float64 => "double precision",
        DataType::Utf8 => "text",
        DataType::Date => "date",
        DataType::Timestamp => "timestamp with time zone",
    }
}

/// A name in a statement.
fn name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn quoted(schema: &str, table: &str) -> String {
    format!("{}.{}", name(schema), name(table))
}

/// What a refusal of rows means: values and constraints (classes 22 and 23) stay as they are, the rest may pass.
fn refusal(error: &sqlx::Error, text: Vec<u8>) -> Failure {
    let code = error.as_database_error().and_then(|error| error.code());
    let of_rows = code.is_some_and(|code| code.starts_with("22") || code.starts_with("23"));
    if of_rows { Failure::Rows { reason: told(error), text } } else { Failure::Later(told(error)) }
}

/// An error with the place that the server names.
fn told(error: &sqlx::Error) -> String {
    let Some(of_server) = error.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>())
    else {
        return error.to_string();
    };
    let place = [of_server.detail(), of_server.r#where()].into_iter().flatten().collect::<Vec<_>>().join("; ");
    let place = if place.is_empty() { place } else { format!(" ({place})") };
    format!("{} {}{place}", of_server.code(), of_server.message())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn sink(url: &str) -> PostgresSink {
        serde_json::from_value(serde_json::json!({ "url": url })).unwrap()
    }

    #[test]
    fn an_address_has_no_password_no_encryption_and_may_name_a_socket() {
        sink("postgres://me@localhost:5433/rows").check().unwrap();
        for (url, part) in [
            ("mysql://me@localhost/rows", "postgres://USER@HOST"),
            ("postgres://me:secret@localhost/rows", "password_env"),
            ("postgres://me@localhost/rows?password=secret", "password_env"),
            ("postgres://me@localhost/rows?sslmode=require", "not encrypted"),
        ] {
            let message = sink(url).check().unwrap_err();
            assert!(message.contains(part), "{url}: {message}");
        }
        assert!(!sink("postgres://me@localhost/rows").names_files());
        assert!(sink("postgres://me@localhost/rows?host=/run/postgresql").names_files());
        assert!(sink("postgres://me@%2Frun%2Fpostgresql/rows").names_files());
        let odd = PostgresSink { schema: "a\"b".to_owned(), ..sink("postgres://me@localhost/rows") };
        assert!(odd.check().is_err());
    }
}
