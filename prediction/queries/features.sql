-- What was known about a customer when @date began: one row per customer who had bought by then.
-- The same query makes the features for training and for application.
--
-- Two habits keep the result honest and the same on every run:
-- 1. Each table is cut at `date < @date` where it is first read, so that nothing further down
--    can see the future. @date itself has not happened yet.
-- 2. Sums are exact: NUMERIC and integers are added up, and only the result becomes FLOAT64.
--    A sum of FLOAT64 depends on the order in which the threads happen to add.
WITH
  purchase_days AS (
    -- Orders of the same day are one visit; counted apart, they would be gaps of zero days.
    SELECT
      customer_id,
      date,
      SUM(CAST(amount AS NUMERIC)) AS amount,
      SUM(quantity) AS quantity
    FROM transactions
    WHERE date < @date
    GROUP BY customer_id, date
  ),

  visits AS (
    -- The first visit has no gap: null, and aggregates leave nulls out.
    SELECT
      *,
      DATE_DIFF(date, LAG(date) OVER (PARTITION BY customer_id ORDER BY date), DAY) AS gap_days
    FROM purchase_days
  ),

  sums AS (
    SELECT
      customer_id,
      MIN(date) AS first_date,
      MAX(date) AS last_date,
      COUNT(*) AS days,
      COUNTIF(date >= DATE_SUB(@date, INTERVAL 91 DAY)) AS days_91,
      SUM(quantity) AS quantity,
      SUM(amount) AS amount,
      SUM(amount * amount) AS amount_squares,
      COUNT(gap_days) AS gaps,
      SUM(gap_days) AS gap_days,
      SUM(gap_days * gap_days) AS gap_days_squares
    FROM visits
    GROUP BY customer_id
  )

-- A standard deviation is that of the sample, from n, the sum and the sum of squares:
-- sqrt((n * squares - sum * sum) / (n * (n - 1))). What is undefined is null, and the model
-- decides what that means: NULLIF, because a division by zero is an error in BigQuery.
SELECT
  customer_id,
  DATE_DIFF(@date, last_date, DAY) AS recency_days,
  DATE_DIFF(@date, first_date, DAY) AS age_days,
  days - 1 AS frequency,
  CAST(amount AS FLOAT64) / days AS amount_mean,
  SQRT(
    CAST(days * amount_squares - amount * amount AS FLOAT64) / NULLIF(days * (days - 1), 0)
  ) AS amount_std,
  CAST(amount AS FLOAT64) AS amount_sum,
  quantity AS quantity_sum,
  gap_days / NULLIF(gaps, 0) AS gap_days_mean,
  SQRT(
    (gaps * gap_days_squares - gap_days * gap_days) / NULLIF(gaps * (gaps - 1), 0)
  ) AS gap_days_std,
  days_91 AS purchase_days_91
FROM sums
