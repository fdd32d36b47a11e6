"""The steps of the database schema: named, ordered, each applied in a transaction of its own.

The tables are the project's only schema. Integers refer by id; 0, never NULL, is "nobody", because NULLs never collide
in a UNIQUE.
"""

from sqlite_utils import Database, Migrations

from migrations.views import FIRST_VIEWS, LABELLED_VIEWS, VIEWS

schema = Migrations("mtpa")


@schema(name="0001_tables")
def create_tables(database: Database) -> None:
    """Texts, models, items, personas, variants, completions, scores, failures and runs."""
    for statement in _TABLES:
        database.execute(statement)


@schema(name="0002_model_exactness")
def add_exactness(database: Database) -> None:
    """How a local model's batched answers compare with unbatched ones, as JSON."""
    database.execute("ALTER TABLE model ADD COLUMN exactness TEXT NOT NULL DEFAULT '{}'")


@schema(name="batch_jobs")
def create_jobs(database: Database) -> None:
    """Jobs at a provider, the trials that wait for them, and what its cache saved.

    A key stands in `job_trial` for as long as its job is open; nobody else may send it meanwhile.
    """
    for statement in _JOBS:
        database.execute(statement)


_JOBS = (
    """CREATE TABLE job (
        id INTEGER PRIMARY KEY, marker TEXT NOT NULL UNIQUE, model INTEGER NOT NULL, process INTEGER NOT NULL,
        state TEXT NOT NULL, provider_state TEXT NOT NULL DEFAULT '', file_id TEXT NOT NULL DEFAULT '',
        provider_id TEXT NOT NULL DEFAULT '', requests INTEGER NOT NULL, answered INTEGER NOT NULL DEFAULT 0,
        failed INTEGER NOT NULL DEFAULT 0, reserved_micro_usd INTEGER NOT NULL,
        settled_micro_usd INTEGER NOT NULL DEFAULT 0, made TEXT NOT NULL, changed TEXT NOT NULL)""",
    """CREATE TABLE job_trial (
        key BLOB NOT NULL, persona INTEGER NOT NULL, variant INTEGER NOT NULL, item INTEGER NOT NULL,
        rotation INTEGER NOT NULL, replicate INTEGER NOT NULL, job INTEGER NOT NULL, process INTEGER NOT NULL,
        attempt INTEGER NOT NULL, reserved_micro_usd INTEGER NOT NULL, options TEXT NOT NULL,
        persona_text INTEGER NOT NULL, item_text INTEGER NOT NULL, system_text INTEGER NOT NULL,
        PRIMARY KEY (key, persona, variant, item, rotation, replicate)) WITHOUT ROWID""",
    "CREATE INDEX job_trial_job ON job_trial (job)",
    "ALTER TABLE completion ADD COLUMN saved_micro_usd INTEGER NOT NULL DEFAULT 0",
)


@schema(name="0002_scores_not_ok")
def index_scores_not_ok(database: Database) -> None:
    """What could not be scored is found at once among millions; a score that is ok costs the index nothing."""
    database.execute("CREATE INDEX score_not_ok ON score (status) WHERE status != 'ok'")


@schema(name="0003_runs_planned")
def add_plans(database: Database) -> None:
    """What a run planned, why it ended, and the rule by which its people were drawn (1 is that of all runs so far).

    `planned` is a JSON list of objects: model, benchmark, trials and, of these, those that a target spared.
    """
    database.execute("ALTER TABLE run ADD COLUMN sampling INTEGER NOT NULL DEFAULT 1")
    database.execute("ALTER TABLE run ADD COLUMN planned TEXT NOT NULL DEFAULT '[]'")
    database.execute("ALTER TABLE run ADD COLUMN ending TEXT NOT NULL DEFAULT ''")
    row = (
        "json_object('model', value ->> 'model', 'benchmark', value ->> 'benchmark', 'trials', value ->> 'planned', "
        "'spared', coalesce(value ->> 'spared', 0))"
    )
    rows = f"SELECT json_group_array({row}) FROM json_each(heartbeat, '$.rows')"
    database.execute(f"UPDATE run SET planned = ({rows}) WHERE json_valid(heartbeat)")


@schema(name="letters_mass_and_method")
def add_mass_and_method(database: Database) -> None:
    """What the letters held of the first token's probability, and how the answers were computed.

    `mass` and `ceiling` (the most that a letter which was not shown may have had) are NULL for answers from before.
    `method` is of the answers; `methods` is what of the model is computed otherwise than before, as JSON by kind of
    answer. Where probabilities were asked for and none came, the sampled text had been scored in their place.
    """
    for statement in (
        "ALTER TABLE completion ADD COLUMN mass REAL",
        "ALTER TABLE completion ADD COLUMN ceiling REAL",
        "ALTER TABLE model ADD COLUMN method TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE model ADD COLUMN methods TEXT",
        """UPDATE score SET status = 'no probabilities', chosen_by_text = NULL, value = NULL, expected = NULL
            WHERE status = 'ok' AND chosen_by_probability IS NULL AND chosen_by_text IS NOT NULL
            AND model IN (SELECT id FROM model WHERE answer = 'probabilities')
            AND item IN (SELECT id FROM item WHERE record ->> '$.ask' = 'letter')""",
    ):
        database.execute(statement)


@schema(name="whole_ledger")
def complete_ledger(database: Database) -> None:
    """What a person let go of that killed runs had reserved; and what runs without a cap spent, which no ledger had."""
    for statement in _WHOLE_LEDGER:
        database.execute(statement)


_WHOLE_LEDGER = (
    """CREATE TABLE released (
        process INTEGER NOT NULL, model INTEGER NOT NULL, at TEXT NOT NULL, micro_usd INTEGER NOT NULL,
        PRIMARY KEY (process, model, at))""",
    """INSERT INTO spend (process, model, reserved_micro_usd, settled_micro_usd)
        SELECT coalesce((SELECT max(id) FROM run
                WHERE id NOT IN (SELECT process FROM spend WHERE model = cost.model)), 0),
            cost.model, 0, cost.usd - coalesce(known.usd, 0)
        FROM (SELECT model, sum(micro_usd) AS usd FROM completion
            WHERE key NOT IN (SELECT key FROM job_trial) GROUP BY model) AS cost
        LEFT JOIN (SELECT model, sum(usd) AS usd FROM (SELECT model, settled_micro_usd AS usd FROM spend
            UNION ALL SELECT model, settled_micro_usd FROM job) GROUP BY model) AS known ON known.model = cost.model
        WHERE cost.usd > coalesce(known.usd, 0)""",
)


@schema(name="estimated_costs")
def add_estimated_costs(database: Database) -> None:
    """Which costs are what was reserved, not the provider's own figure.

    Also the tokens written to the provider's cache, and whether a model's endpoint says how its answers end.
    """
    for statement in _ESTIMATED:
        database.execute(statement)


_ESTIMATED = (
    "ALTER TABLE completion ADD COLUMN estimated INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE completion ADD COLUMN written_tokens INTEGER",
    "ALTER TABLE spend ADD COLUMN estimated_micro_usd INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE job ADD COLUMN estimated_micro_usd INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE model ADD COLUMN unnamed_ends TEXT NOT NULL DEFAULT ''",
)


@schema(name="run_prices")
def add_price_source(database: Database) -> None:
    """Where the prices of a run came from, and how new they were; "" where nothing was paid for."""
    database.execute("ALTER TABLE run ADD COLUMN prices TEXT NOT NULL DEFAULT ''")


@schema(name="resolved_parameters")
def add_resolved(database: Database) -> None:
    """By which studies' words a model is asked as it is: the hash of what each asks, and what was changed of it."""
    database.execute("ALTER TABLE model ADD COLUMN resolved TEXT NOT NULL DEFAULT '{}'")


@schema(name="named_views")
def create_views(database: Database) -> None:
    """The views trials, answers and people: a study with names instead of numbers."""
    for statement in FIRST_VIEWS.values():
        database.execute(statement)


@schema(name="key_usage")
def create_key_usage(database: Database) -> None:
    """What a provider said a key had been charged as a run began, and what was counted by that once it was killed.

    `mark` is two bytes of the key's hash.
    """
    database.execute(
        """CREATE TABLE key_usage (
        process INTEGER NOT NULL, model INTEGER NOT NULL, origin TEXT NOT NULL, mark INTEGER NOT NULL, at TEXT NOT NULL,
        micro_usd INTEGER NOT NULL, read_at TEXT NOT NULL DEFAULT '', counted_micro_usd INTEGER NOT NULL DEFAULT 0,
        freed_micro_usd INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (process, model))"""
    )


@schema(name="registrations")
def create_registration(database: Database) -> None:
    """What was registered before the first request: when, its SHA-256, and the canonical JSON that it is of."""
    database.execute("CREATE TABLE registration (at TEXT NOT NULL, sha256 TEXT NOT NULL, document TEXT NOT NULL)")


@schema(name="labelled_views")
def label_views(database: Database) -> None:
    """What the codes of traits mean; the views say it, and how an answer was asked for."""
    database.execute(
        """CREATE TABLE trait_label (
        trait TEXT NOT NULL, code TEXT NOT NULL, label TEXT NOT NULL, UNIQUE (trait, code))"""
    )
    for name, statement in LABELLED_VIEWS.items():
        database.execute(f"DROP VIEW IF EXISTS {name}")
        database.execute(statement)


@schema(name="people_who_were_asked")
def leave_out_planned(database: Database) -> None:
    """The view people has those whom a run selected."""
    database.execute("DROP VIEW IF EXISTS people")
    database.execute(VIEWS["people"])


@schema(name="drawn_rounds")
def create_drawn_rounds(database: Database) -> None:
    """The adaptive rounds of a target as they were drawn: JSON of persona → item group → its chance.

    `course` is a hash of what the rounds were drawn from.
    """
    database.execute(
        """CREATE TABLE drawn_round (
        id INTEGER PRIMARY KEY, model INTEGER NOT NULL, benchmark TEXT NOT NULL, course TEXT NOT NULL,
        level TEXT NOT NULL, number INTEGER NOT NULL, planned INTEGER NOT NULL, cells TEXT NOT NULL)"""
    )


_TABLES = (
    "CREATE TABLE text (id INTEGER PRIMARY KEY, sha BLOB NOT NULL UNIQUE, text TEXT NOT NULL)",
    """CREATE TABLE model (
        id INTEGER PRIMARY KEY, sha BLOB NOT NULL UNIQUE, name TEXT NOT NULL, provider TEXT NOT NULL,
        model TEXT NOT NULL, revision TEXT NOT NULL, dtype TEXT NOT NULL, parameters TEXT NOT NULL,
        answer TEXT NOT NULL, served TEXT NOT NULL DEFAULT '')""",
    """CREATE TABLE item (
        id INTEGER PRIMARY KEY, item_id TEXT NOT NULL, sha BLOB NOT NULL UNIQUE, benchmark TEXT NOT NULL,
        part TEXT NOT NULL, grp TEXT NOT NULL, record TEXT NOT NULL)""",
    """CREATE TABLE persona (
        id INTEGER PRIMARY KEY, persona_id TEXT NOT NULL, sha BLOB NOT NULL UNIQUE, survey TEXT NOT NULL,
        wave TEXT NOT NULL, country TEXT NOT NULL, weight REAL NOT NULL, cluster TEXT NOT NULL, answers TEXT NOT NULL,
        subgroups TEXT NOT NULL)""",
    """CREATE TABLE variant (
        id INTEGER PRIMARY KEY, sha BLOB NOT NULL UNIQUE, format TEXT NOT NULL, frame TEXT NOT NULL,
        placement TEXT NOT NULL, trait_order INTEGER NOT NULL, traits TEXT NOT NULL)""",
    """CREATE TABLE completion (
        id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, model INTEGER NOT NULL, persona_text INTEGER NOT NULL,
        item_text INTEGER NOT NULL, system_text INTEGER NOT NULL, answer TEXT, letters BLOB, finish TEXT NOT NULL,
        prompt_tokens INTEGER, completion_tokens INTEGER, reasoning_tokens INTEGER, cached_tokens INTEGER,
        micro_usd INTEGER NOT NULL DEFAULT 0, latency_ms INTEGER NOT NULL DEFAULT 0)""",
    """CREATE TABLE score (
        id INTEGER PRIMARY KEY, model INTEGER NOT NULL, item INTEGER NOT NULL, persona INTEGER NOT NULL,
        variant INTEGER NOT NULL, rotation INTEGER NOT NULL, replicate INTEGER NOT NULL, completion INTEGER NOT NULL,
        chosen_by_text INTEGER, chosen_by_probability INTEGER, value REAL, expected REAL, status TEXT NOT NULL,
        scorer TEXT NOT NULL,
        UNIQUE (model, persona, variant, item, rotation, replicate))""",
    """CREATE TABLE failure (
        id INTEGER PRIMARY KEY, key BLOB NOT NULL, model INTEGER NOT NULL, item INTEGER NOT NULL,
        persona INTEGER NOT NULL, variant INTEGER NOT NULL, rotation INTEGER NOT NULL, replicate INTEGER NOT NULL,
        attempt INTEGER NOT NULL, kind TEXT NOT NULL, message TEXT NOT NULL, at TEXT NOT NULL)""",
    "CREATE INDEX failure_key ON failure (key)",
    "CREATE TABLE lease (key BLOB PRIMARY KEY, process INTEGER NOT NULL) WITHOUT ROWID",
    """CREATE TABLE spend (
        process INTEGER NOT NULL, model INTEGER NOT NULL, reserved_micro_usd INTEGER NOT NULL,
        settled_micro_usd INTEGER NOT NULL, PRIMARY KEY (process, model))""",
    "CREATE TABLE acknowledgement (survey TEXT PRIMARY KEY, licence TEXT NOT NULL, at TEXT NOT NULL)",
    """CREATE TABLE run (
        id INTEGER PRIMARY KEY, study TEXT NOT NULL, selection TEXT NOT NULL, code TEXT NOT NULL,
        packages TEXT NOT NULL, seed INTEGER NOT NULL, started TEXT NOT NULL, ended TEXT,
        heartbeat TEXT NOT NULL DEFAULT '{}',
        stop_requested INTEGER NOT NULL DEFAULT 0)""",
)
