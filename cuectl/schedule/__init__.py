"""When: cron expressions, calendar days, zones, moments, triggers. Pure."""
