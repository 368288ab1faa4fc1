//! Recipes as people write them: TOML.

use crate::core::document;
use serde::{Deserialize, Serialize};

/// Most steps of a recipe; each reads and writes all rows.
const MAX_STEPS: usize = 100;

/// A recipe that can't be used.
#[derive(Debug, thiserror::Error)]
#[error("the recipe {origin} can't be used: {message}")]
pub struct RecipeError {
    /// The file, or the name of one that ships.
    pub origin: String,
    /// What is wrong, behind the key that is at fault.
    pub message: String,
}

/// How a table is cleaned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// What it is for, in one line.
    pub summary: String,
    /// The table that it cleans.
    pub table: String,
    /// The columns by which rows that went are counted.
    #[serde(default)]
    pub classes: Vec<String>,
    /// What is done, in order.
    pub steps: Vec<Step>,
}

/// One SELECT.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What reports call it.
    pub name: String,
    /// What it is for, in one line.
    #[serde(default)]
    pub summary: String,
    /// The SELECT; `input` is the table as the step before left it.
    pub sql: String,
}

impl Recipe {
    /// Reads a recipe; `origin` names it in errors.
    ///
    /// # Errors
    /// What is wrong, with the key that is at fault.
    pub fn parse(text: &str, origin: &str) -> Result<Self, RecipeError> {
        let bad = |message: String| RecipeError { origin: origin.to_owned(), message };
        let recipe: Self = document::from_toml(text).map_err(bad)?;
        if recipe.steps.is_empty() || recipe.steps.len() > MAX_STEPS {
            return Err(bad(format!("steps: {}; 1 to {MAX_STEPS} are allowed", recipe.steps.len())));
        }
        let name = |step: &Step| step.name.clone();
        let twice = recipe
            .steps
            .iter()
            .enumerate()
            .find(|(index, step)| recipe.steps.iter().take(*index).any(|earlier| name(earlier) == step.name));
        match twice {
            Some((index, step)) => Err(bad(format!("steps[{index}].name: {:?} is there twice", step.name))),
            None => Ok(recipe),
        }
    }

    /// Whether a step's SELECT has the name of a column in it.
    pub(super) fn names(&self, column: &str) -> bool {
        let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
        let words = |step: &Step| step.sql.split(|c| !part_of_name(c)).any(|word| word.eq_ignore_ascii_case(column));
        self.steps.iter().any(words)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const RECIPE: &str = "summary = \"s\"\ntable = \"t\"\n[[steps]]\nname = \"a\"\nsql = \"SELECT * FROM input\"\n";

    #[test]
    fn columns_are_named_by_steps_as_whole_words() {
        let recipe =
            Recipe::parse(&RECIPE.replace("SELECT *", "SELECT coalesce(t.RTT_ms, 0), 'x'"), "mine.toml").unwrap();
        assert!(recipe.names("rtt_ms") && recipe.names("t"));
        assert!(!recipe.names("rtt") && !recipe.names("incident_id"));
    }

    #[test]
    fn a_wrong_key_is_named_with_recipe_and_place() {
        assert_eq!(Recipe::parse(RECIPE, "mine.toml").unwrap().steps.len(), 1);
        for (text, place) in [
            (format!("{RECIPE}colour = 1\n"), "steps[0].colour"),
            (format!("class = []\n{RECIPE}"), "class"),
            (format!("{RECIPE}[[steps]]\nname = \"a\"\nsql = \"\"\n"), "steps[1].name"),
            (RECIPE.replace("sql", "sequel"), "steps[0]"),
            ("summary = \"s\"\ntable = \"t\"\nsteps = []\n".to_owned(), "steps"),
            ("summary".to_owned(), ""),
        ] {
            let error = Recipe::parse(&text, "mine.toml").unwrap_err().to_string();
            assert!(error.contains("mine.toml") && error.contains(place), "{error}");
        }
    }
}
