-- What is no longer sold is withdrawn and not deleted: orders name it. Who knows nothing of the column reads on.

ALTER TABLE catalogue.item ADD COLUMN withdrawn timestamptz;
