alter table orders add column colour text;
