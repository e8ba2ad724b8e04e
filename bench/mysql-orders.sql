-- 2,000,000 rows × 10 columns, about 120 bytes each, in transactions of 10,000.
create procedure fill_orders() begin
  declare t int default 0;
  while t < 200 do
    insert into orders
    select g, (g * 7919) % 100000, elt(1 + g % 4, 'new', 'paid', 'shipped', 'done'),
      concat('order note number ', g), (g % 100000) / 7.0, g % 50, g / 3.0, g % 2,
      timestamp'2024-01-01 00:00:00' + interval g second, timestamp'2024-01-01 00:00:00' + interval g second
    from (select t * 10000 + g as g from numbers) x;
    set t = t + 1;
  end while;
end;

call fill_orders();

drop procedure fill_orders;

analyze table orders;
