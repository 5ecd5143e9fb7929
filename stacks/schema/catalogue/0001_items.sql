-- What the shop sells. catalogue_reader reads it; what is in it changes by a step of this folder, and by nobody's lease.

CREATE SCHEMA catalogue;

CREATE TABLE catalogue.item (
    id       text PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9_-]{1,64}$'),
    name     text NOT NULL,
    price    bigint NOT NULL CHECK (price > 0), -- minor units
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$')
);

INSERT INTO catalogue.item (id, name, price, currency) VALUES
    ('anvil', 'Anvil, 50 kg', 18900, 'EUR'),
    ('bellows', 'Bellows, double chamber', 24550, 'EUR'),
    ('hammer', 'Hammer, 1 kg', 2495, 'EUR'),
    ('lantern', 'Lantern, brass', 3999, 'USD'),
    ('nails', 'Nails, a hundred', 1250, 'EUR'),
    ('tongs', 'Tongs, flat jaw', 3100, 'EUR');

GRANT USAGE ON SCHEMA catalogue TO catalogue_reader;
GRANT SELECT ON catalogue.item TO catalogue_reader;
