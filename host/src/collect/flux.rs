//! What an InfluxDB of version 2 answers: annotated CSV, tables one behind the other, each with its types, defaults and header.

use crate::core::problem::Problem;
use crate::ingest::{CsvFields, csv_records};
use bytes::Bytes;
use serde_json::{Map, Value};

/// Columns that tell of the answer and the query's range, and not of the row: they would be others with every query.
const NOT_OF_THE_ROW: [&str; 4] = ["result", "table", "_start", "_stop"];
/// The header of a table that tells what went wrong.
const ERROR: [&str; 2] = ["error", "reference"];

/// What stands above the rows of a table.
#[derive(Debug, Default)]
struct Head {
    types: Vec<String>,
    defaults: Vec<Option<String>>,
    names: Vec<String>,
}

/// The rows of all tables, an object each.
pub(super) fn rows(answer: Bytes) -> Result<Value, Problem> {
    let (mut head, mut rows) = (Head::default(), Vec::new());
    csv_records(answer, &mut |fields| {
        let annotation = fields.first().copied().flatten().and_then(|first| first.strip_prefix('#'));
        if let Some(annotation) = annotation {
            if !head.names.is_empty() {
                head = Head::default();
            }
            match annotation {
                "datatype" => head.types = fields.iter().map(|field| field.unwrap_or_default().to_owned()).collect(),
                "default" => head.defaults = fields.iter().map(|field| field.map(str::to_owned)).collect(),
                _ => {}
            }
        } else if head.names.is_empty() {
            head.names = fields.iter().map(|field| field.unwrap_or_default().to_owned()).collect();
        } else if head.names.iter().filter(|name| !name.is_empty()).eq(ERROR.iter()) {
            let message = fields.iter().flatten().next().copied().unwrap_or("it failed");
            return Err(Problem::new("", message));
        } else {
            rows.push(Value::Object(head.row(fields)?));
        }
        Ok(())
    })?;
    Ok(Value::Array(rows))
}

impl Head {
    /// The first column has the annotations, and nothing of a row.
    fn row(&self, fields: &CsvFields<'_>) -> Result<Map<String, Value>, Problem> {
        let mut row = Map::new();
        for (place, name) in self.names.iter().enumerate().skip(1) {
            if name.is_empty() || NOT_OF_THE_ROW.contains(&name.as_str()) {
                continue;
            }
            let default = self.defaults.get(place).and_then(Option::as_deref);
            let text = fields.get(place).copied().flatten().or(default);
            let data_type = self.types.get(place).map_or("string", String::as_str);
            let value = text.map_or(Some(Value::Null), |text| value(text, data_type));
            let wrong = || Problem::new(name, format!("{:?} is no {data_type}", text.unwrap_or_default()));
            row.insert(name.clone(), value.ok_or_else(wrong)?);
        }
        Ok(row)
    }
}

/// A value by its type; none where it does not have it. Numbers that are none, which JSON has no word for, are missing.
fn value(text: &str, data_type: &str) -> Option<Value> {
    Some(match data_type {
        "long" => text.parse::<i64>().ok()?.into(),
        "unsignedLong" => text.parse::<u64>().ok()?.into(),
        "double" => text.parse::<f64>().ok()?.into(),
        "boolean" => text.parse::<bool>().ok()?.into(),
        // Times, too: they are RFC 3339, and sort as text.
        _ => text.into(),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tables_have_their_own_columns_types_and_defaults() {
        let answer = "#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,double,string,long,boolean\r\n\
            #group,false,false,true,false,false,true,false,false\r\n\
            #default,_result,,,,,,7,\r\n\
            ,result,table,_start,_time,_value,host,retries,ok\r\n\
            ,,0,2026-11-01T00:00:00Z,2026-11-09T14:25:00Z,0.5,\"a, \"\"b\"\"\",3,true\r\n\
            ,,1,2026-11-01T00:00:00Z,2026-11-09T14:25:00Z,+Inf,c,,\r\n\
            \r\n\
            #datatype,string,long,unsignedLong\r\n#group,false,false,false\r\n#default,_result,,\r\n\
            ,result,table,bytes\r\n,,2,18446744073709551615\r\n\r\n";
        let rows = rows(Bytes::from(answer)).unwrap();
        let wanted = json!([
            {"_time": "2026-11-09T14:25:00Z", "_value": 0.5, "host": "a, \"b\"", "retries": 3, "ok": true},
            {"_time": "2026-11-09T14:25:00Z", "_value": null, "host": "c", "retries": 7, "ok": null},
            {"bytes": 18_446_744_073_709_551_615_u64},
        ]);
        assert_eq!(rows, wanted);
    }

    #[test]
    fn what_went_wrong_in_the_midst_is_told() {
        for answer in [
            "#datatype,string,string\n#group,true,true\n#default,,\n,error,reference\n,no such bucket,897\n",
            "#datatype,string,string\n#group,true,true\n#default,,\nerror,reference\nno such bucket,\n",
        ] {
            assert_eq!(rows(Bytes::from(answer)).unwrap_err().message, "no such bucket");
        }
        let wrong = "#datatype,string,long,long\n#group,,,\n#default,_result,,\n,result,table,n\n,,0,many\n";
        assert!(rows(Bytes::from(wrong)).unwrap_err().to_string().contains("\"many\" is no long"));
        assert!(rows(Bytes::from("a,\"b")).unwrap_err().to_string().contains("line 1"));
        assert_eq!(rows(Bytes::new()).unwrap(), json!([]));
    }
}
