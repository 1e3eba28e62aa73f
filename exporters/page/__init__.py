"""The exporter's own page, for whoever has no Grafana yet: HTML that is whole without scripts, and kept live by one."""
