"""A worker with an ORM: customers and orders in a database in memory."""
from sqlalchemy import ForeignKey, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, selectinload


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    orders: Mapped[list["Order"]] = relationship(back_populates="customer", cascade="all, delete-orphan")


class Order(Base):
    __tablename__ = "order_"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    total: Mapped[float]
    customer: Mapped[Customer] = relationship(back_populates="orders")


def serve(first, last):
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    for number in range(first, last):
        with Session(engine) as session:
            session.add(Customer(name="customer %d" % number, orders=[Order(total=k) for k in range(4)]))
            session.commit()
        with Session(engine) as session:
            found = session.scalars(select(Customer).options(selectinload(Customer.orders)).limit(20)).all()
            sum(order.total for customer in found for order in customer.orders)
    engine.dispose()
