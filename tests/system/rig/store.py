"""The embedded store, past muster: what a sentence needs to see that no API tells."""

import psycopg2


class Store:
    """A connection as the superuser; each statement commits by itself."""

    def __init__(self, musterd):
        folder = next(p.parent for p in musterd.folder.rglob(".s.PGSQL.5432"))
        password = next(musterd.state.rglob("store.password")).read_text().strip()
        self.connection = psycopg2.connect(host=str(folder), dbname="muster", user="muster", password=password)
        self.connection.autocommit = True

    def rows(self, query, *arguments):
        with self.connection.cursor() as cursor:
            cursor.execute(query, arguments)
            return cursor.fetchall() if cursor.description else []

    def value(self, query, *arguments):
        (row,), = self.rows(query, *arguments)
        return row
