//! The points of one measurement, column by column.

use crate::batch::TableLayout;
use crate::core::schema::{DataType, Field, MAX_FIELDS, Table, TableKind};
use crate::ingest::line_protocol::TIME;
use crate::ingest::mapping::column_name;
use arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, StringBuilder, StringDictionaryBuilder,
    TimestampMicrosecondArray, new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::Int32Type;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use influxdb_line_protocol::{FieldValue, ParsedLine};
use std::collections::HashMap;
use std::sync::Arc;

/// The points of a table so far.
pub(super) struct PointTable {
    /// The table's name.
    pub(super) name: String,
    /// What it is declared as, where it is there.
    declared: Option<Table>,
    times: Vec<i64>,
    columns: Vec<Column>,
    /// Columns by the names that points have for them; a tag and a field of one name are told apart.
    places: HashMap<(bool, String), usize>,
    /// Where the values of the point in hand go.
    scratch: Vec<usize>,
}

struct Column {
    /// Whether it is a tag, and what points call it.
    key: (bool, String),
    /// The table's name for it.
    name: String,
    /// Whether the table has it already, so that its type stays.
    held: bool,
    values: Values,
    /// Rows that it has values or nulls for.
    rows: usize,
    /// Whether some row has a value.
    filled: bool,
}

enum Values {
    Tag(StringDictionaryBuilder<Int32Type>),
    Float(Float64Builder),
    Int(Int64Builder),
    Text(StringBuilder),
    Boolean(BooleanBuilder),
}

/// A value of a point.
enum Value<'a> {
    Tag(&'a str),
    Float(f64),
    Int(i64),
    Text(&'a str),
    Boolean(bool),
}

impl PointTable {
    /// A table `name`, which is there as `declared` or not yet.
    pub(super) fn new(name: String, declared: Option<Table>) -> Result<Self, String> {
        if let Some(table) = declared.as_ref().filter(|table| table.time_index().is_none()) {
            return Err(format!("is for the table {}, whose rows have no time", table.name));
        }
        let (times, columns, scratch) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { name, declared, times, columns, places: HashMap::new(), scratch })
    }

    pub(super) fn rows(&self) -> usize {
        self.times.len()
    }

    /// Adds a point, or says why it can't be one of this table.
    pub(super) fn add(&mut self, point: &ParsedLine<'_>, micros: i64) -> Result<(), String> {
        // First all places, so that a point that does not fit leaves nothing behind.
        self.scratch.clear();
        let tags = || point.series.tag_set.iter().flatten();
        for (key, _) in tags() {
            self.find(key, &Value::Tag(""))?;
        }
        for (key, value) in &point.field_set {
            let value = field_value(value).ok_or_else(|| format!("field {:?} is beyond 63 bits", key.as_str()))?;
            self.find(key, &value)?;
        }
        self.check_complete()?;
        let row = self.times.len();
        let values = tags().map(|(_, tag)| Value::Tag(tag));
        let values = values.chain(point.field_set.iter().filter_map(|(_, value)| field_value(value)));
        for (place, value) in self.scratch.iter().zip(values) {
            if let Some(column) = self.columns.get_mut(*place) {
                column.set(row, &value);
            }
        }
        self.times.push(micros);
        Ok(())
    }

    /// Notes the place of `key`, whose column takes such a value.
    fn find(&mut self, key: &str, value: &Value<'_>) -> Result<(), String> {
        let is_tag = matches!(value, Value::Tag(_));
        let likely = self.scratch.len();
        let place = match self.columns.get(likely) {
            // Points of a table have their keys in the same order, nearly always.
            Some(column) if column.key.0 == is_tag && column.key.1 == key => likely,
            _ => match self.places.get(&(is_tag, key.to_owned())) {
                Some(place) => *place,
                None => self.open(is_tag, key, value)?,
            },
        };
        if self.scratch.contains(&place) {
            return Err(format!("has {key:?} twice"));
        }
        if let Some(column) = self.columns.get_mut(place) {
            column.admit(value)?;
        }
        self.scratch.push(place);
        Ok(())
    }

    fn open(&mut self, is_tag: bool, key: &str, value: &Value<'_>) -> Result<usize, String> {
        let name = column_name(key, self.columns.len());
        if let Some(other) = self.columns.iter().find(|column| column.name == name) {
            return Err(format!("{key:?} would be the column {name:?}, which {:?} is already", other.key.1));
        }
        let time = self.declared.as_ref().and_then(|table| table.time_field.as_deref()).unwrap_or(TIME);
        if name == time {
            return Err(format!("{key:?} would be the column {name:?}, which is the time of the point"));
        }
        let held = self.declared.as_ref().and_then(|table| table.fields.get(table.field_index(&name)?));
        let known = self.declared.as_ref().map_or(1, |table| table.fields.len());
        if held.is_none() && known + self.columns.iter().filter(|column| !column.held).count() >= MAX_FIELDS {
            return Err(format!("{key:?} would be a column beyond the {MAX_FIELDS}th"));
        }
        let values = match held {
            Some(field) => Values::of_type(field.data_type, is_tag)
                .ok_or_else(|| format!("{key:?} is for a column of {:?}, which points have not", field.data_type))?,
            None => Values::of_value(value),
        };
        let place = self.columns.len();
        let key = (is_tag, key.to_owned());
        self.columns.push(Column { key: key.clone(), name, held: held.is_some(), values, rows: 0, filled: false });
        self.places.insert(key, place);
        Ok(place)
    }

    /// Whether the point in hand has a value for every column that is never null.
    fn check_complete(&self) -> Result<(), String> {
        let Some(table) = &self.declared else { return Ok(()) };
        for field in
            table.fields.iter().filter(|field| !field.nullable && Some(&field.name) != table.time_field.as_ref())
        {
            let given = self
                .scratch
                .iter()
                .any(|place| self.columns.get(*place).is_some_and(|column| column.name == field.name));
            if !given {
                return Err(format!("column {}: a value is missing", field.name));
            }
        }
        Ok(())
    }

    /// What the table is to be declared as, where that changes.
    pub(super) fn new_declaration(&self) -> Option<Table> {
        let new: Vec<Field> =
            self.columns.iter().filter(|column| !column.held && column.filled).map(Column::field).collect();
        match &self.declared {
            Some(_) if new.is_empty() => None,
            Some(table) => {
                let mut table = table.clone();
                table.fields.extend(new);
                Some(table)
            }
            None => {
                let mut time = field(TIME, DataType::Timestamp, "When the point was measured");
                time.nullable = false;
                Some(Table {
                    name: self.name.clone(),
                    summary: "points in line protocol".to_owned(),
                    kind: TableKind::Events,
                    time_field: Some(time.name.clone()),
                    fields: std::iter::once(time).chain(new).collect(),
                    primary_key: Vec::new(),
                    attributes: Vec::new(),
                })
            }
        }
    }

    /// The rows in the columns of `layout`; none where that has not all of them in their types.
    pub(super) fn finish(self, layout: &TableLayout) -> Result<Option<RecordBatch>, ArrowError> {
        let rows = self.times.len();
        let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(self.times).with_timezone("UTC"));
        let mut columns: HashMap<String, ArrayRef> = HashMap::new();
        for column in self.columns.into_iter().filter(|column| column.filled) {
            let name = column.name.clone();
            let (array, data_type) = column.finish(rows);
            let index = layout.table.field_index(&name);
            let held = index.and_then(|index| layout.table.fields.get(index)).map(|field| field.data_type);
            let fits = match held {
                Some(held) => {
                    held == data_type
                        || matches!(
                            (data_type, held),
                            (DataType::Int64, DataType::Int32) | (DataType::Float64, DataType::Float32)
                        )
                }
                None => false,
            };
            if !fits {
                return Ok(None);
            }
            columns.insert(name, array);
        }
        let arrays = layout.table.fields.iter().zip(layout.schema.fields()).map(|(field, arrow)| {
            if Some(&field.name) == layout.table.time_field.as_ref() {
                return Ok((&field.name, Arc::clone(&times), false));
            }
            let array = match columns.remove(&field.name) {
                None => new_null_array(arrow.data_type(), rows),
                Some(array) if field.data_type == DataType::Utf8 => array,
                Some(array) => cast(&array, arrow.data_type())?,
            };
            Ok((&field.name, array, field.nullable))
        });
        let arrays = arrays.collect::<Result<Vec<_>, ArrowError>>()?;
        RecordBatch::try_from_iter_with_nullable(arrays).map(Some)
    }
}

fn field(name: &str, data_type: DataType, summary: &str) -> Field {
    let (name, summary) = (name.to_owned(), summary.to_owned());
    Field { name, data_type, nullable: true, unit: None, summary, attributes: Vec::new() }
}

fn field_value<'a>(value: &'a FieldValue<'_>) -> Option<Value<'a>> {
    Some(match value {
        FieldValue::F64(value) => Value::Float(*value),
        FieldValue::I64(value) => Value::Int(*value),
        FieldValue::U64(value) => Value::Int(i64::try_from(*value).ok()?),
        FieldValue::String(value) => Value::Text(value),
        FieldValue::Boolean(value) => Value::Boolean(*value),
    })
}

impl Values {
    /// For a column that is there; none where no point has such values.
    fn of_type(data_type: DataType, is_tag: bool) -> Option<Self> {
        Some(match data_type {
            DataType::Utf8 if is_tag => Self::Tag(StringDictionaryBuilder::new()),
            DataType::Utf8 => Self::Text(StringBuilder::new()),
            DataType::Float64 | DataType::Float32 => Self::Float(Float64Builder::new()),
            DataType::Int64 | DataType::Int32 => Self::Int(Int64Builder::new()),
            DataType::Boolean => Self::Boolean(BooleanBuilder::new()),
            DataType::Date | DataType::Timestamp => return None,
        })
    }

    fn of_value(value: &Value<'_>) -> Self {
        match value {
            Value::Tag(_) => Self::Tag(StringDictionaryBuilder::new()),
            Value::Float(_) => Self::Float(Float64Builder::new()),
            Value::Int(_) => Self::Int(Int64Builder::new()),
            Value::Text(_) => Self::Text(StringBuilder::new()),
            Value::Boolean(_) => Self::Boolean(BooleanBuilder::new()),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Tag(_) => "tag",
            Self::Float(_) => "float",
            Self::Int(_) => "integer",
            Self::Text(_) => "string",
            Self::Boolean(_) => "boolean",
        }
    }

    fn append_null(&mut self) {
        match self {
            Self::Tag(values) => values.append_null(),
            Self::Float(values) => values.append_null(),
            Self::Int(values) => values.append_null(),
            Self::Text(values) => values.append_null(),
            Self::Boolean(values) => values.append_null(),
        }
    }
}

impl Column {
    fn field(&self) -> Field {
        let summary = if self.key.0 { format!("tag {}", self.key.1) } else { format!("field {}", self.key.1) };
        field(&self.name, self.data_type(), &summary)
    }

    fn data_type(&self) -> DataType {
        match &self.values {
            Values::Tag(_) | Values::Text(_) => DataType::Utf8,
            Values::Float(_) => DataType::Float64,
            Values::Int(_) => DataType::Int64,
            Values::Boolean(_) => DataType::Boolean,
        }
    }

    /// Makes sure that the column takes a value, or says that it does not.
    fn admit(&mut self, value: &Value<'_>) -> Result<(), String> {
        match (&mut self.values, value) {
            (Values::Tag(_), Value::Tag(_))
            | (Values::Float(_), Value::Float(_) | Value::Int(_))
            | (Values::Int(_), Value::Int(_))
            | (Values::Text(_), Value::Text(_))
            | (Values::Boolean(_), Value::Boolean(_)) => Ok(()),
            // A new column that began with whole numbers.
            (Values::Int(values), Value::Float(_)) if !self.held => {
                let mut floats = Float64Builder::new();
                #[expect(clippy::cast_precision_loss, reason = "a column of floats is what it is from here on")]
                values.finish().iter().for_each(|value| floats.append_option(value.map(|value| value as f64)));
                self.values = Values::Float(floats);
                Ok(())
            }
            (values, value) => {
                let found = Values::of_value(value).name();
                Err(format!(
                    "field type conflict: {:?} is of type {found}, already exists as type {}",
                    self.key.1,
                    values.name()
                ))
            }
        }
    }

    /// Sets the value of `row`, after nulls for those that had none.
    fn set(&mut self, row: usize, value: &Value<'_>) {
        self.pad(row);
        match (&mut self.values, value) {
            (Values::Tag(values), Value::Tag(value)) => values.append_value(value),
            (Values::Float(values), Value::Float(value)) => values.append_value(*value),
            #[expect(clippy::cast_precision_loss, reason = "a column of floats takes whole numbers as floats")]
            (Values::Float(values), Value::Int(value)) => values.append_value(*value as f64),
            (Values::Int(values), Value::Int(value)) => values.append_value(*value),
            (Values::Text(values), Value::Text(value)) => values.append_value(value),
            (Values::Boolean(values), Value::Boolean(value)) => values.append_value(*value),
            // Admitted values have their column's type.
            (values, _) => values.append_null(),
        }
        self.rows += 1;
        self.filled = true;
    }

    fn pad(&mut self, rows: usize) {
        while self.rows < rows {
            self.values.append_null();
            self.rows += 1;
        }
    }

    fn finish(mut self, rows: usize) -> (ArrayRef, DataType) {
        self.pad(rows);
        let data_type = self.data_type();
        let array: ArrayRef = match self.values {
            Values::Tag(mut values) => Arc::new(values.finish()),
            Values::Float(mut values) => Arc::new(values.finish()),
            Values::Int(mut values) => Arc::new(values.finish()),
            Values::Text(mut values) => Arc::new(values.finish()),
            Values::Boolean(mut values) => Arc::new(values.finish()),
        };
        (array, data_type)
    }
}
