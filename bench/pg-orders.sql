-- The measured table: 2,000,000 rows × 10 columns, about 120 bytes each.
create table orders (
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

insert into orders
select g, ((g::bigint * 7919) % 100000)::int, (array['new','paid','shipped','done'])[1 + g % 4],
  'order note number ' || g, (g % 100000) / 7.0, g % 50, g / 3.0, g % 2 = 0,
  timestamptz '2024-01-01' + g * interval '1 second', timestamp '2024-01-01' + g * interval '1 second'
from generate_series(1, 2000000) g;

alter table orders replica identity full;

vacuum (analyze) orders;

checkpoint;
