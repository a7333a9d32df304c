-- A row for each payment. What is paid beyond the price of the film is a fee for bringing it back late.
SELECT
  payment_id, payment.customer_id, inventory.store_id, payment_date,
  least(amount, film.rental_rate) AS price,
  amount - least(amount, film.rental_rate) AS late_fee
FROM payment
JOIN rental USING (rental_id)
JOIN inventory USING (inventory_id)
JOIN film USING (film_id)
ORDER BY payment_date, payment_id
