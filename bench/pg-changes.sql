-- 750,000 changes on orders2 in transactions of 100 rows: a third each of inserts, updates and deletes.
do $$ begin
  for t in 0..2499 loop
    insert into orders2
    select 10000000 + g, ((g::bigint * 7919) % 100000)::int, (array['new','paid','shipped','done'])[1 + g % 4],
      'order note number ' || g, (g % 100000) / 7.0, g % 50, g / 3.0, g % 2 = 0,
      timestamptz '2024-01-01' + g * interval '1 second', timestamp '2024-01-01' + g * interval '1 second'
    from generate_series(t * 100 + 1, t * 100 + 100) g;
    commit;
  end loop;
end $$;

do $$ begin
  for t in 0..2499 loop
    update orders2 set status = 'paid', amount = amount + 1, updated_at = updated_at + interval '1 day'
    where id between 10000000 + t * 100 + 1 and 10000000 + t * 100 + 100;
    commit;
  end loop;
end $$;

do $$ begin
  for t in 0..2499 loop
    delete from orders2 where id between 10000000 + t * 100 + 1 and 10000000 + t * 100 + 100;
    commit;
  end loop;
end $$;
