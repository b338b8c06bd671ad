-- Who did not come back? One row per customer known before @start.
-- Both windows are half-open: what happened on @start counts as coming back, on @stop no more.
SELECT
  customer_id,
  MAX(date) < @start AS churned
FROM transactions
WHERE date < @stop
GROUP BY customer_id
HAVING MIN(date) < @start
