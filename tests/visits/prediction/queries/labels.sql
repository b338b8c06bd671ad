SELECT id, MAX(day) >= @start AS label
FROM visits
WHERE day < @stop
GROUP BY id
