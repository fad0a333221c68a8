"""symbackprop derives backpropagation."""
