-- The table of the changes, empty: publication and slot are made before the first change is written.
create table orders2 (
  id bigint primary key,
  customer_id int not null,
  status text not null,
  note varchar(200),
  amount numeric(12,2) not null,
  qty int,
  price double precision,
  paid boolean,
  created_at timestamptz not null,
  updated_at timestamp
);

alter table orders2 replica identity full;
