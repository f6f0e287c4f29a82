"""What alembic runs: always on the connection that the store hands over, inside its transaction."""

from alembic import context

from ioc.oncall.models import Base


def run() -> None:
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=Base.metadata,
        transaction_per_migration=False,
        render_as_batch=True,
    )
    context.run_migrations()


if hasattr(context, "config"):  # alembic is running us; merely imported, the module starts nothing
    run()
