SELECT id, COUNT(*) AS visits, SUM(spent) AS spent
FROM visits
WHERE day < @date
GROUP BY id
