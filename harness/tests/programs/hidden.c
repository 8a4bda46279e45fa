#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* A holder of one reference, without tp_traverse: what it holds is hidden from the collector. */
typedef struct {
    PyObject_HEAD
    PyObject *held;
} Holder;

static int holder_init(Holder *self, PyObject *args, PyObject *kwargs) {
    PyObject *held;
    if (!PyArg_ParseTuple(args, "O", &held)) return -1;
    Py_INCREF(held);
    Py_XSETREF(self->held, held);
    return 0;
}

static void holder_dealloc(Holder *self) {
    Py_XDECREF(self->held);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyTypeObject HolderType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "hidden.Holder",
    .tp_basicsize = sizeof(Holder),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = PyType_GenericNew,
    .tp_init = (initproc)holder_init,
    .tp_dealloc = (destructor)holder_dealloc,
};

static PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "hidden", .m_size = -1};

PyMODINIT_FUNC PyInit_hidden(void) {
    PyObject *m;
    if (PyType_Ready(&HolderType) < 0 || !(m = PyModule_Create(&module))) return NULL;
    Py_INCREF(&HolderType);
    if (PyModule_AddObject(m, "Holder", (PyObject *)&HolderType) < 0) return NULL;
    return m;
}
