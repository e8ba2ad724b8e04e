-- The demo's shop: four tables with the types that a real one has, about 1,150,000 rows.
create table customers (
  id bigint primary key,
  public_id uuid not null,
  name text not null,
  email text not null,
  born date,
  newsletter boolean not null default false,
  credit numeric(12,2) not null,
  preferences jsonb,
  created_at timestamptz not null
);

create table products (
  sku text primary key,
  name text not null,
  description text,
  price numeric(10,2) not null,
  tags text[] not null,
  attributes jsonb not null,
  available boolean not null,
  updated_at timestamptz not null
);

create table orders (
  id bigint primary key,
  customer_id bigint not null,
  status text not null,
  total numeric(14,2) not null,
  note text,
  delivery date,
  ordered_at timestamptz not null,
  updated_at timestamptz not null
);

create table order_lines (
  order_id bigint not null,
  line_no int not null,
  sku text not null,
  quantity int not null,
  unit_price numeric(10,2) not null,
  discount numeric(5,4),
  gift boolean not null,
  primary key (order_id, line_no)
);

insert into customers
select g, md5('customer ' || g)::uuid, 'Customer ' || g, 'customer' || g || '@example.com',
  case when g % 7 > 0 then date '1950-01-01' + (g * 37 % 20000) end, g % 3 = 0, (g * 7919 % 1000000) / 100.0 - 2000,
  case when g % 5 > 0 then jsonb_build_object('language', (array['en','de','fr','日本語'])[1 + g % 4], 'colour', g % 16, 'sizes', jsonb_build_array(g % 9, 'XL')) end,
  timestamptz '2020-01-01 00:00+00' + g * interval '123.456789 seconds'
from generate_series(1, 60000) g;

insert into products
select 'SKU-' || lpad(g::text, 6, '0'), 'Product ' || g, case when g % 4 > 0 then repeat('A fine thing, no. ' || g || '. ', 1 + g % 30) end,
  (g * 331 % 100000) / 100.0, array['tag ' || g % 10, 'season "' || g % 4 || '"', case when g % 6 = 0 then null else 'plain' end],
  jsonb_build_object('weight', (g % 1000) / 8.0, 'origin', 'Ünïted ' || g % 12), g % 11 > 0,
  timestamptz '2023-06-01 12:00+00' + g * interval '61.000001 seconds'
from generate_series(1, 10000) g;

-- A description that is stored out of line, as updates of other columns do not log it: they must not lose it.
update products set description = (select string_agg(md5(sku || n), ' ') from generate_series(1, 200) n) where price < 50;

insert into orders
select g, 1 + (g * 7919) % 60000, (array['new','paid','shipped','done'])[1 + g % 4], (g * 9973 % 10000000) / 100.0,
  case when g % 10 = 0 then 'Leave it at number ' || g % 200 || E',\n"next door"' end, date '2023-01-01' + (g % 900)::int,
  timestamptz '2023-01-01 00:00+00' + g * interval '7.5 minutes', timestamptz '2023-01-01 00:00+00' + g * interval '8 minutes'
from generate_series(1, 240000::bigint) g;

insert into order_lines
select o, l, 'SKU-' || lpad((1 + (o * 31 + l * 17) % 10000)::text, 6, '0'), 1 + (o + l)::int % 5, (o * 331 % 100000) / 100.0,
  case when (o + l) % 3 = 0 then (o % 5000) / 10000.0 end, (o + l) % 13 = 0
from generate_series(1, 240000::bigint) o, generate_series(1, 3 + (o % 2)::int) l;

alter table orders add foreign key (customer_id) references customers (id) on update cascade;

alter table order_lines add foreign key (order_id) references orders (id) on update cascade on delete cascade;

create index on orders (customer_id);

vacuum (analyze);

checkpoint;
