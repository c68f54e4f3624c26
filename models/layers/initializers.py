"""Initial weights that several networks share, as Keras reads them from a layer's configuration."""

# DCGAN's (Radford et al. 2015, arXiv:1511.06434), which pix2pix and FastGAN took over: normal, with a standard
# deviation of 0.02; batch normalisation's scale likewise, around 1.
CONV_INIT = {"class_name": "RandomNormal", "config": {"mean": 0.0, "stddev": 0.02}}
SCALE_INIT = {"class_name": "RandomNormal", "config": {"mean": 1.0, "stddev": 0.02}}
