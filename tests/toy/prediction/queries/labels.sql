SELECT known.id, COUNT(later.id) > 0 AS label
FROM (SELECT DISTINCT id FROM visits WHERE day < @start) AS known
LEFT JOIN visits AS later
  ON later.id = known.id AND later.day >= @start AND later.day < @stop
GROUP BY known.id
