//! The faults that the guest can show, each with the name by which a configuration asks for it.
//! Knows nothing of how a fault is carried out.

/// One way to break the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    // What a call costs.
    EndlessLoop,
    OpenLoops,
    PlanLoops,
    SaveLoops,
    RestoreLoops,
    MemoryHog,
    StackOverflow,
    Panic,
    HugeOutput,
    HugeHostAllocation,
    HugeState,
    LogFlood,
    LogLine,
    LogForgery,
    // What a batch says of itself.
    WrongRowCount,
    WrongColumnCount,
    WrongColumnType,
    UnknownTable,
    ShortBuffer,
    LongBuffer,
    ShortValidity,
    BadOffsets,
    ShortOffsets,
    OffsetsBeyondBytes,
    InvalidUtf8,
    SplitCharacter,
    BadDictionaryKey,
    NullWhereNone,
    NotFinite,
    RowOutsideWindow,
    RowBeforeWindow,
    // What the plan says.
    PlanBadName,
    PlanDuplicateColumn,
    PlanUnknownTimeField,
    PlanUnknownKey,
    PlanUnknownSignalColumn,
    PlanZeroStep,
    // Errors that the contract allows, and texts in them that it does not foresee.
    InvalidConfig,
    ErrorFailed,
    ErrorForgery,
    UnsupportedState,
    // Well-formed rows that are not what they should be: for the conformance check.
    StateLost,
    DependsOnPartition,
    DependsOnWindow,
    DeafSignal,
    LeakySignal,
    EarlySignal,
    // One meter of several that no effect on itself reaches; and names that an effect changes where no field says what it may.
    DeafMeter,
    RenamingSignal,
    // An effect on one meter that bends the next as well, where a field says whose a row is, and where none does.
    LeaksToNext,
    LeaksUndeclared,
    // A field that says whose a row is, and names no target.
    UnknownOwner,
    // Rows that depend on the third of three partitions, on calls of one step, on an odd number of steps, on the span's end.
    ThirdPartition,
    SingleSteps,
    OddWindows,
    DependsOnEnd,
    // A seed that does nothing, and seeds that bring it down.
    Seedless,
    OtherSeedsPanic,
    // A state that is saved and not gone on from, and incidents that no restored instance takes.
    RestoreIgnored,
    DeafAfterRestore,
    // A field that names a signal which is none, and a configuration that `check` refuses.
    UnknownMover,
    Refused,
    // State of the instance that no `save` returns: how often it has been opened, and how often it has saved.
    CountsOpenings,
    CountsSaves,
}

/// Every fault by its name.
pub(crate) const FAULTS: &[(&str, Fault)] = &[
    ("none", Fault::None),
    ("endless-loop", Fault::EndlessLoop),
    ("open-loops", Fault::OpenLoops),
    ("plan-loops", Fault::PlanLoops),
    ("save-loops", Fault::SaveLoops),
    ("restore-loops", Fault::RestoreLoops),
    ("memory-hog", Fault::MemoryHog),
    ("stack-overflow", Fault::StackOverflow),
    ("panic", Fault::Panic),
    ("huge-output", Fault::HugeOutput),
    ("huge-host-allocation", Fault::HugeHostAllocation),
    ("huge-state", Fault::HugeState),
    ("log-flood", Fault::LogFlood),
    ("log-line", Fault::LogLine),
    ("log-forgery", Fault::LogForgery),
    ("wrong-row-count", Fault::WrongRowCount),
    ("wrong-column-count", Fault::WrongColumnCount),
    ("wrong-column-type", Fault::WrongColumnType),
    ("unknown-table", Fault::UnknownTable),
    ("short-buffer", Fault::ShortBuffer),
    ("long-buffer", Fault::LongBuffer),
    ("short-validity", Fault::ShortValidity),
    ("bad-offsets", Fault::BadOffsets),
    ("short-offsets", Fault::ShortOffsets),
    ("offsets-beyond-bytes", Fault::OffsetsBeyondBytes),
    ("invalid-utf8", Fault::InvalidUtf8),
    ("split-character", Fault::SplitCharacter),
    ("bad-dictionary-key", Fault::BadDictionaryKey),
    ("null-where-none", Fault::NullWhereNone),
    ("not-finite", Fault::NotFinite),
    ("row-outside-window", Fault::RowOutsideWindow),
    ("row-before-window", Fault::RowBeforeWindow),
    ("plan-bad-name", Fault::PlanBadName),
    ("plan-duplicate-column", Fault::PlanDuplicateColumn),
    ("plan-unknown-time-field", Fault::PlanUnknownTimeField),
    ("plan-unknown-key", Fault::PlanUnknownKey),
    ("plan-unknown-signal-column", Fault::PlanUnknownSignalColumn),
    ("plan-zero-step", Fault::PlanZeroStep),
    ("invalid-config", Fault::InvalidConfig),
    ("error-failed", Fault::ErrorFailed),
    ("error-forgery", Fault::ErrorForgery),
    ("unsupported-state", Fault::UnsupportedState),
    ("state-lost", Fault::StateLost),
    ("depends-on-partition", Fault::DependsOnPartition),
    ("depends-on-window", Fault::DependsOnWindow),
    ("deaf-signal", Fault::DeafSignal),
    ("leaky-signal", Fault::LeakySignal),
    ("early-signal", Fault::EarlySignal),
    ("deaf-meter", Fault::DeafMeter),
    ("renaming-signal", Fault::RenamingSignal),
    ("leaks-to-next", Fault::LeaksToNext),
    ("leaks-undeclared", Fault::LeaksUndeclared),
    ("unknown-owner", Fault::UnknownOwner),
    ("third-partition", Fault::ThirdPartition),
    ("single-steps", Fault::SingleSteps),
    ("odd-windows", Fault::OddWindows),
    ("depends-on-end", Fault::DependsOnEnd),
    ("seedless", Fault::Seedless),
    ("other-seeds-panic", Fault::OtherSeedsPanic),
    ("restore-ignored", Fault::RestoreIgnored),
    ("deaf-after-restore", Fault::DeafAfterRestore),
    ("unknown-mover", Fault::UnknownMover),
    ("refused", Fault::Refused),
    ("counts-openings", Fault::CountsOpenings),
    ("counts-saves", Fault::CountsSaves),
];

/// What the guest is told to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Config {
    pub(crate) fault: Fault,
    /// Simulated time from the span's start before the fault shows in `advance`, microseconds.
    pub(crate) after: i64,
    /// Things that emit a row every step.
    pub(crate) meters: u32,
}

impl Config {
    /// Reads the JSON that the host sends; the message says what is wrong with it.
    pub(crate) fn parse(json: &str) -> Result<Self, String> {
        let value: serde_json::Value = serde_json::from_str(json).map_err(|e| e.to_string())?;
        let name = value.get("fault").and_then(|v| v.as_str()).unwrap_or("none");
        let fault = FAULTS
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, fault)| *fault)
            .ok_or_else(|| format!("no fault is called {name:?}"))?;
        let number = |key: &str, default: i64| value.get(key).and_then(serde_json::Value::as_i64).unwrap_or(default);
        Ok(Self {
            fault,
            after: number("after_s", 0).saturating_mul(1_000_000),
            meters: u32::try_from(number("meters", 4)).map_err(|e| e.to_string())?,
        })
    }
}

/// The JSON Schema of [`Config`].
pub(crate) fn schema() -> String {
    let names: Vec<&str> = FAULTS.iter().map(|(name, _)| *name).collect();
    serde_json::json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "fault": { "type": "string", "enum": names, "default": "none", "description": "what goes wrong" },
            "after_s": { "type": "integer", "minimum": 0, "default": 0, "description": "simulated seconds before it does" },
            "meters": { "type": "integer", "minimum": 1, "default": 4, "description": "rows a step" },
        },
    })
    .to_string()
}

/// What `describe` does wrong. It has no configuration, so a test patches this text in the component's
/// bytes: the name after the colon, padded with dots to the same length.
static DESCRIBE_FAULT: &str = "hostile-describe-fault:none................";

/// The name in [`DESCRIBE_FAULT`] as it stands in the running component.
pub(crate) fn describe_fault() -> &'static str {
    // The compiler must not fold the text away: the bytes are changed after it has run.
    let text: &str = std::hint::black_box(DESCRIBE_FAULT);
    text.split_once(':').map_or("", |(_, name)| name.trim_end_matches('.'))
}
