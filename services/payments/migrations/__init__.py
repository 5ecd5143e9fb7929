"""The schema, one numbered file per step; a step that has been released is never edited."""
