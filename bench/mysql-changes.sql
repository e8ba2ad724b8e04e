-- 750,000 changes on orders2 in transactions of 100 rows: a third each of inserts, updates and deletes.
create procedure change_orders2() begin
  declare t int default 0;
  while t < 2500 do
    insert into orders2
    select 10000000 + g, (g * 7919) % 100000, elt(1 + g % 4, 'new', 'paid', 'shipped', 'done'),
      concat('order note number ', g), (g % 100000) / 7.0, g % 50, g / 3.0, g % 2,
      timestamp'2024-01-01 00:00:00' + interval g second, timestamp'2024-01-01 00:00:00' + interval g second
    from (select t * 100 + g as g from numbers where g <= 100) x;
    set t = t + 1;
  end while;
  set t = 0;
  while t < 2500 do
    update orders2 set status = 'paid', amount = amount + 1, updated_at = updated_at + interval 1 day
    where id between 10000000 + t * 100 + 1 and 10000000 + t * 100 + 100;
    set t = t + 1;
  end while;
  set t = 0;
  while t < 2500 do
    delete from orders2 where id between 10000000 + t * 100 + 1 and 10000000 + t * 100 + 100;
    set t = t + 1;
  end while;
end;

call change_orders2();

drop procedure change_orders2;
