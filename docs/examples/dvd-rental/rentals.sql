-- A row for each rental, in the order in which they happened. Days late are whole days after the due time, begun ones too.
SELECT
  rental_id, rental.customer_id, inventory.store_id, film.title, film.rental_rate, film.replacement_cost,
  rental_date, return_date,
  (rental_date + film.rental_duration * INTERVAL '1 day')::date AS due,
  greatest(0, ceil(extract(epoch FROM return_date - rental_date) / 86400 - film.rental_duration))::int AS days_late
FROM rental
JOIN inventory USING (inventory_id)
JOIN film USING (film_id)
ORDER BY rental_date, rental_id
