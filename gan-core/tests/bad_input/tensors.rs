//! Tensors of absurd sizes, and operators on them.

use crate::support::assert_refused;
use gan_core::backend::Filter;
use gan_core::nn::{Resample, conv2d_resample, downsample2d, filter2d, upsample2d};
use gan_core::{
    Device, Error, Image, Labels, Noise, Order, Seeds, StyleBased, Tensor, WPlus, Z, grad,
};

use crate::support::refused;
use crate::{portraits_model, tensor};

#[test]
fn batches_of_none() {
    for device in [Device::cpu(), Device::reference()] {
        for shape in [&[0][..], &[0, 64], &[1, 0, 3]] {
            let parts = ["sizes of at least 1", &format!("{shape:?}")];
            refused(Tensor::new::<f32>(&[], shape, &device), &parts);
            refused(Tensor::zeros(shape, &device), &parts);
        }
    }
    let plus = WPlus::new(tensor(&[2, 10, 64])).unwrap();
    assert!(matches!(plus.rows(0, 0), Err(Error::Shape { .. })));
    assert!(matches!(plus.rows(1, 2), Err(Error::Shape { .. })));
    assert!(matches!(plus.rows(usize::MAX, usize::MAX), Err(Error::Shape { .. })));
    assert!(matches!(plus.row(2), Err(Error::Shape { .. })));
    assert_refused!(WPlus::concat(&[]), Error::Shape { .. }, "at least one");
    let none = portraits_model().sample(&Seeds::default());
    assert!(matches!(none, Err(Error::Argument { what: "seeds", .. })));
    assert!(tensor(&[2, 3]).slice(0, 1, 0).is_err());
    assert!(tensor(&[2, 3]).gather(0, &[]).is_err());
}

#[test]
fn no_seeds() {
    refused(portraits_model().sample(&Seeds::default()), &["seeds", "at least"]);
}

#[test]
fn tensors_beyond_the_memory() {
    // With `vm.overcommit_memory = 1`, the system promises any amount within the address space.
    let overcommit = std::fs::read_to_string("/proc/sys/vm/overcommit_memory");
    let is_counted = overcommit.map_or(true, |text| text.trim() != "1");
    for device in [Device::cpu(), Device::reference()] {
        let shapes = [
            &[1 << 40][..],
            &[1 << 20, 1 << 26],
            &[isize::MAX as usize],
            &[usize::MAX],
            &[usize::MAX, 2],
            &[usize::MAX, usize::MAX, usize::MAX],
        ];
        for shape in &shapes[usize::from(!is_counted)..] {
            assert_refused!(Tensor::zeros(shape, &device), Error::TooLarge { .. }, "bytes");
        }
        let x = Tensor::full(1.0, &[1, 1, 4, 4], &device).unwrap();
        let huge = [1 << 20, 1 << 28, 4, 4];
        assert_refused!(x.expand(&huge), Error::TooLarge { .. }, "bytes");
        assert_refused!(x.pad(0, 1 << 45, 0), Error::TooLarge { .. }, "bytes");
        assert!(x.pad(0, usize::MAX, usize::MAX).is_err());
        assert!(x.reshape(&[usize::MAX, 2]).is_err());
        assert!(x.slice(0, usize::MAX, usize::MAX).is_err());
        assert!(x.slice(usize::MAX, 0, 1).is_err());
    }
}

#[test]
fn endless_numbers_of_samples() {
    let g = portraits_model();
    assert!(matches!(
        g.clone().with_estimated_average(usize::MAX, 0, None),
        Err(Error::TooLarge { .. })
    ));
    let cpu = Device::cpu();
    let seeds = Seeds::from(0..2);
    assert!(matches!(Z::from_seeds(&seeds, usize::MAX, &cpu), Err(Error::TooLarge { .. })));
    assert!(matches!(Labels::one_hot(&[0, 1], usize::MAX, &cpu), Err(Error::TooLarge { .. })));
}

#[test]
fn resampling_by_absurd_factors() {
    let x = tensor(&[1, 1, 4, 4]);
    let filter = Filter::outer(&[0.25, 0.75, 0.75, 0.25]).unwrap();
    let none = [[0; 2]; 2];
    for factor in [0, 1 << 40, isize::MAX as usize, usize::MAX] {
        for factors in [[factor, 2], [2, factor], [factor, factor]] {
            let result = upsample2d(&x, &filter, factors, none, false, 1.0);
            assert_refused!(result, Error::Argument { .. }, "upsample2d", "factors");
            let result = downsample2d(&x, &filter, factors, none, false, 1.0);
            assert_refused!(result, Error::Argument { .. }, "downsample2d", "factors");
        }
        for (up, down) in [(factor, 1), (1, factor), (factor, factor)] {
            let op = Resample { filter: Some(filter.clone()), up, down, ..Resample::default() };
            let result = conv2d_resample(&x, &tensor(&[1, 1, 3, 3]), &op);
            assert_refused!(result, Error::Argument { .. }, "conv2d_resample", "factors");
        }
    }
    for padding in [isize::MAX, isize::MIN] {
        let padding = [[padding; 2]; 2];
        assert!(filter2d(&x, &filter, padding, false, 1.0).is_err());
        assert!(upsample2d(&x, &filter, [2, 2], padding, false, 1.0).is_err());
        assert!(downsample2d(&x, &filter, [2, 2], padding, false, 1.0).is_err());
        for (up, down) in [(1, 1), (2, 1), (1, 2)] {
            let op = Resample { up, down, padding, ..Resample::default() };
            assert!(conv2d_resample(&x, &tensor(&[1, 1, 3, 3]), &op).is_err());
        }
    }
    // Cropped to nothing.
    let result = filter2d(&x, &filter, [[-4; 2]; 2], false, 1.0);
    assert_refused!(result, Error::Shape { .. }, "upfirdn2d", "[1, 1, 4, 4]");
}

#[test]
fn repeated_axes() {
    for device in [Device::cpu(), Device::reference()] {
        let x = Tensor::full(1.0, &[2, 3], &device).unwrap();
        for axes in [&[1, 1][..], &[0, 1, 0]] {
            let distinct: Vec<usize> = (0..2).filter(|a| axes.contains(a)).collect();
            let sum = x.sum(axes).and_then(|s| s.to_vec::<f64>());
            assert!(
                sum.is_err() || sum.unwrap() == x.sum(&distinct).unwrap().to_vec::<f64>().unwrap()
            );
        }
        assert!(matches!(x.sum(&[2]), Err(Error::Shape { .. })));
        assert!(matches!(x.max(&[usize::MAX]), Err(Error::Shape { .. })));
        assert!(matches!(x.flip(2), Err(Error::Shape { .. })));
        assert!(matches!(x.permute(&[0, 0]), Err(Error::Shape { .. })));
    }
}

#[test]
fn noise_maps_of_the_wrong_count_or_shape() {
    let g = portraits_model();
    let w = WPlus::new(tensor(&[2, 10, 64])).unwrap();
    let maps = g.synthesis().noise_maps().unwrap();
    assert_eq!(maps.len(), 9);
    g.synthesize(&w, Noise::Maps(&maps)).unwrap();
    for wrong in [&maps[..0], &maps[..8], &[maps.as_slice(), &maps[..1]].concat()] {
        assert_refused!(
            g.synthesize(&w, Noise::Maps(wrong)),
            Error::Argument { .. },
            "noise maps: expected 9",
            &format!("found {}", wrong.len())
        );
    }
    for shape in [&[4, 4][..], &[1, 1, 4, 5], &[3, 1, 4, 4], &[1, 64, 4, 4], &[], &[1, 1, 1, 1]] {
        let mut maps = maps.clone();
        maps[0] = tensor(shape);
        let found = format!("{shape:?}");
        let result = g.synthesize(&w, Noise::Maps(&maps));
        assert_refused!(result, Error::Shape { .. }, "noise", "expected", &found);
    }
    let mut maps = maps;
    maps[3] = maps[3].to_device(&Device::reference()).unwrap();
    assert!(matches!(g.synthesize(&w, Noise::Maps(&maps)), Err(Error::Device { .. })));
}

#[test]
fn pictures_of_tensors_that_are_none() {
    assert_refused!(Image::from_tensor(&tensor(&[3, 4, 4])), Error::Shape { .. }, "[3, 4, 4]");
    let result = Image::from_tensor(&tensor(&[1, 2, 4, 4]));
    assert_refused!(result, Error::Argument { .. }, "channels: expected 1 or 3, found 2");
    // Whatever a network's last layer gives: there is a byte for it.
    let worst = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30];
    Image::from_tensor(&Tensor::new(&worst, &[1, 1, 2, 2], &Device::cpu()).unwrap()).unwrap();
}

#[test]
fn gradients_of_what_has_none() {
    let x = tensor(&[3]).var();
    let square = x.square().unwrap();
    assert_refused!(grad(&square, &[&x], Order::First), Error::Gradient(_), "one number", "[3]");
    let y = square.sum_all().unwrap();
    let constant = tensor(&[3]);
    let result = grad(&y, &[&x, &constant], Order::First);
    assert_refused!(result, Error::Gradient(_), "input 1", "Tensor::var");
    let result = grad(&constant.sum_all().unwrap(), &[&x], Order::First);
    assert_refused!(result, Error::Gradient(_), "constant", "Tensor::var");
    let slope = grad(&y, &[&x], Order::First).unwrap().remove(0);
    let result = grad(&slope.square().unwrap().sum_all().unwrap(), &[&x], Order::First);
    assert_refused!(result, Error::Gradient(_), "Order::First", "not recorded");
    assert!(grad(&y, &[], Order::First).unwrap().is_empty());
    // A variable that has nothing to do with the result has the gradient zero.
    let other = tensor(&[2]).var();
    let zero = grad(&y, &[&other], Order::Second).unwrap().remove(0);
    assert_eq!(zero.to_vec::<f32>().unwrap(), [0.0, 0.0]);
}
