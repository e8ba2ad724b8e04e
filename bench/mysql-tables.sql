-- The measured tables, empty, and the numbers that their rows are made of.
create table orders (
  id bigint primary key,
  customer_id int not null,
  status varchar(20) not null,
  note varchar(200),
  amount decimal(12,2) not null,
  qty int,
  price double,
  paid tinyint(1),
  created_at timestamp(6) null,
  updated_at datetime
);

create table orders2 like orders;

create table numbers (g int primary key);

create table digits (d int primary key);

insert into digits values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9);

insert into numbers
select 1 + a.d + b.d * 10 + c.d * 100 + e.d * 1000 from digits a, digits b, digits c, digits e;
