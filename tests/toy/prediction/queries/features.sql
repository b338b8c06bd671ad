SELECT id, COUNT(*) AS visits
FROM visits
WHERE day < @date
GROUP BY id
