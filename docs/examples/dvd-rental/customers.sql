-- The customers whose membership is closed.
SELECT customer_id, store_id, last_update FROM customer WHERE active = 0 ORDER BY customer_id
